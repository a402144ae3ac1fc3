//go:build js && wasm

package main

import (
	"context"
	"encoding/json"
	"errors"
	"syscall/js"

	"github.com/underseal/underseal/client"
	"github.com/underseal/underseal/keys/seal"
	"github.com/underseal/underseal/protocol/api"
	"github.com/underseal/underseal/protocol/wire"
)

// host is worker.ts's end: what a browser can do and Go in it cannot.
type host struct{ js.Value }

var (
	_ client.Transport = host{}
	_ client.Device    = host{}
	_ client.Pump      = host{}
	_ client.Source    = source{}
	_ client.Sink      = sink{}
)

// Do sends one small request with fetch.
func (h host) Do(ctx context.Context, r client.Request) (client.Response, error) {
	headers, err := json.Marshal(r.Header)
	if err != nil {
		return client.Response{}, err
	}
	body := js.Null()
	if r.Body != nil {
		body = uint8Array(r.Body)
	}
	v, err := withAbort(ctx, func(signal js.Value) js.Value {
		return h.Call("request", r.Method, r.Path, r.ContentType, string(headers), body, signal)
	})
	if err != nil {
		return client.Response{}, err
	}
	return client.Response{Status: v.Get("status").Int(), Body: bytesOf(v.Get("body"))}, nil
}

func (h host) Get(_ context.Context, name string) ([]byte, error) {
	v, err := await(h.Call("get", name))
	if err != nil {
		return nil, err
	}
	if v.IsNull() {
		return nil, client.ErrAbsent
	}
	return bytesOf(v), nil
}

func (h host) Put(_ context.Context, name string, record []byte) error {
	_, err := await(h.Call("put", name, uint8Array(record)))
	return err
}

func (h host) Delete(_ context.Context, name string) error {
	_, err := await(h.Call("delete", name))
	return err
}

func (h host) List(_ context.Context, prefix string) ([]string, error) {
	v, err := await(h.Call("list", prefix))
	if err != nil {
		return nil, err
	}
	names := make([]string, v.Length())
	for i := range names {
		names[i] = v.Index(i).String()
	}
	return names, nil
}

// source is a File, with what worker.ts found out about it.
type source struct{ value js.Value }

func (s source) Size() int64      { return int64(s.value.Get("size").Float()) }
func (s source) Identity() string { return s.value.Get("identity").String() }

// sink is a file in the origin's private file system: nobody sees it before it is handed over.
type sink struct{ value js.Value }

func (s sink) Commit() error {
	_, err := await(s.value.Call("commit"))
	return err
}

func (s sink) Discard() error {
	_, err := await(s.value.Call("discard"))
	return err
}

// segmentKeys are the AES keys of a body, one for each SegmentsPerKey segments.
func segmentKeys(k *seal.Keys, padded int64) js.Value {
	list := js.Global().Get("Array").New()
	for i := int64(0); i*seal.SegmentsPerKey*(seal.BodySegment-seal.SegmentOverhead) < padded; i++ {
		key := k.SegmentKey(uint64(i) * seal.SegmentsPerKey)
		list.Call("push", uint8Array(key[:]))
	}
	return list
}

// Send runs the upload pump: bytes go from the file through WebCrypto to the server without entering Go.
func (h host) Send(ctx context.Context, s client.Send) error {
	file, ok := s.Source.(source)
	if !ok {
		return errors.New("source of another device")
	}
	present := js.Global().Get("Array").New()
	for chunk := range s.Present {
		present.Call("push", chunk)
	}
	path := js.FuncOf(func(_ js.Value, args []js.Value) any { return s.Path(args[0].Int()) })
	header := js.FuncOf(func(_ js.Value, args []js.Value) any {
		return headerJSON(s.Header(args[0].Int(), wire.Hash(bytesOf(args[1]))))
	})
	sealed := js.FuncOf(func(_ js.Value, args []js.Value) any {
		chunk, digest := args[0].Int(), wire.Hash(bytesOf(args[1]))
		return promise(func() (js.Value, error) { return js.Undefined(), s.Sealed(chunk, digest) })
	})
	stored := js.FuncOf(func(_ js.Value, args []js.Value) any {
		s.Stored(args[0].Int(), wire.Hash(bytesOf(args[1])), int64(args[2].Float()))
		return nil
	})
	defer path.Release()
	defer header.Release()
	defer sealed.Release()
	defer stored.Release()
	_, err := withAbort(ctx, func(signal js.Value) js.Value {
		return h.Call("send", object(map[string]any{"file": file.value, "length": s.Length, "padded": s.Padded, "keys": segmentKeys(s.Keys, s.Padded),
			"present": present, "path": path, "header": header, "sealed": sealed, "stored": stored, "signal": signal}))
	})
	return err
}

// Fetch runs the download pump.
func (h host) Fetch(ctx context.Context, f client.Fetch) error {
	to, ok := f.Sink.(sink)
	if !ok {
		return errors.New("sink of another device")
	}
	digests := make([]byte, 0, 32*len(f.Digests))
	for _, d := range f.Digests {
		digests = append(digests, d[:]...)
	}
	header := js.FuncOf(func(js.Value, []js.Value) any { return headerJSON(f.Header()) })
	progress := js.FuncOf(func(_ js.Value, args []js.Value) any {
		f.Progress(int64(args[0].Float()))
		return nil
	})
	renew := js.FuncOf(func(_ js.Value, _ []js.Value) any {
		return promise(func() (js.Value, error) { return js.Undefined(), f.Renew(ctx) })
	})
	defer header.Release()
	defer progress.Release()
	defer renew.Release()
	_, err := withAbort(ctx, func(signal js.Value) js.Value {
		return h.Call("fetchBody", object(map[string]any{"sink": to.value, "path": f.Path, "header": header, "length": f.Length, "padded": f.Padded, "keys": segmentKeys(f.Keys, f.Padded),
			"digests": uint8Array(digests), "progress": progress, "renew": renew, "signal": signal}))
	})
	return err
}

// headerJSON is headers as JavaScript reads them.
func headerJSON(header map[string]string) string {
	b, err := json.Marshal(header)
	if err != nil {
		return "{}" // texts are always encoded
	}
	return string(b)
}

func object(fields map[string]any) js.Value {
	o := js.Global().Get("Object").New()
	for name, value := range fields {
		switch v := value.(type) {
		case int64:
			o.Set(name, float64(v))
		case js.Func:
			o.Set(name, v.Value)
		default:
			o.Set(name, v)
		}
	}
	return o
}

func failureJSON(err error) js.Value {
	f := client.FailureOf(err)
	if f == nil {
		f = &client.Failure{Code: api.CodeInternal}
	}
	return js.ValueOf(map[string]any{"code": string(f.Code), "detail": f.Detail, "wait": f.Wait})
}
