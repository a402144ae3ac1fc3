//go:build js && wasm

package seal

import "syscall/js"

// subtleAEAD is a non-extractable key of WebCrypto, which every browser worker
// and Node offer as globalThis.crypto.subtle.
type subtleAEAD struct{ subtle, key js.Value }

var _ aead = subtleAEAD{}

func newAEAD(key []byte) (aead, error) {
	subtle := js.Global().Get("crypto")
	if subtle.Truthy() {
		subtle = subtle.Get("subtle")
	}
	if !subtle.Truthy() {
		return nil, ErrNoCipher
	}
	raw := toJS(key)
	imported, ok := await(subtle.Call("importKey", "raw", raw, "AES-GCM", false, js.ValueOf([]any{"encrypt", "decrypt"})))
	raw.Call("fill", 0)
	giveBack(raw)
	if !ok {
		return nil, ErrNoCipher
	}
	return subtleAEAD{subtle, imported}, nil
}

func (a subtleAEAD) seal(dst, nonce, plaintext, aad []byte) ([]byte, error) {
	sealed, ok := a.call("encrypt", dst, nonce, plaintext, aad)
	if !ok {
		return nil, ErrNoCipher
	}
	return sealed, nil
}

func (a subtleAEAD) open(dst, nonce, ciphertext, aad []byte) ([]byte, error) {
	plaintext, ok := a.call("decrypt", dst, nonce, ciphertext, aad)
	if !ok {
		return nil, ErrOpen
	}
	return plaintext, nil
}

func (a subtleAEAD) call(method string, dst, nonce, data, aad []byte) ([]byte, bool) {
	algorithm := js.Global().Get("Object").New()
	algorithm.Set("name", "AES-GCM")
	algorithm.Set("iv", toJS(nonce))
	algorithm.Set("additionalData", toJS(aad))
	algorithm.Set("tagLength", gcmTagSize*8)
	in := toJS(data)
	defer giveBack(in)
	buffer, ok := await(a.subtle.Call(method, algorithm, a.key, in))
	if !ok {
		return nil, false
	}
	out := js.Global().Get("Uint8Array").New(buffer)
	defer giveBack(out)
	length := out.Get("byteLength").Int()
	dst = append(dst, make([]byte, length)...)
	js.CopyBytesToGo(dst[len(dst)-length:], out)
	return dst, true
}

func toJS(b []byte) js.Value {
	array := js.Global().Get("Uint8Array").New(len(b))
	js.CopyBytesToJS(array, b)
	return array
}

// giveBack detaches a buffer at once. Left to the two collectors, which do not
// see each other, a renderer grows by gigabytes. Node 20 has no transfer; its
// buffers are left to its collector.
func giveBack(array js.Value) {
	buffer := array.Get("buffer")
	if buffer.Get("transfer").Type() == js.TypeFunction {
		buffer.Call("transfer", 0)
	}
}

// await blocks this goroutine until the promise settles. The event loop runs
// on meanwhile, which is why it must not be called on the loop itself. Why a
// promise was rejected is not looked at: WebCrypto tells nothing more either.
func await(promise js.Value) (js.Value, bool) {
	type outcome struct {
		value js.Value
		ok    bool
	}
	settled := make(chan outcome, 1)
	resolve := js.FuncOf(func(_ js.Value, args []js.Value) any {
		settled <- outcome{args[0], true}
		return nil
	})
	defer resolve.Release()
	reject := js.FuncOf(func(js.Value, []js.Value) any {
		settled <- outcome{}
		return nil
	})
	defer reject.Release()
	promise.Call("then", resolve, reject)
	result := <-settled
	return result.value, result.ok
}
