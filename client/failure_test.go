package client

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/underseal/underseal/keys/vault"
	"github.com/underseal/underseal/protocol/api"
	"github.com/underseal/underseal/protocol/chain"
	"github.com/underseal/underseal/protocol/document"
)

func TestFailureOf(t *testing.T) {
	_, kitErr := vault.ParseKit("no kit")
	for _, c := range []struct {
		err  error
		code api.Code
	}{
		{fail(api.CodeGone, "x"), api.CodeGone},
		{&api.Error{Code: api.CodeMoved}, api.CodeMoved},
		{context.Canceled, api.CodeCancelled},
		{vault.ErrUnlock, api.CodeUnlockFailed},
		{document.ErrName, api.CodeBadName},
		{chain.ErrInput, api.CodeNotAllowed},
		{kitErr, api.CodeKitTypo},
		{errors.New("anything"), api.CodeInternal},
		{context.DeadlineExceeded, api.CodeInternal},
	} {
		for _, err := range []error{c.err, fmt.Errorf("opening: %w", c.err), errors.Join(errors.New("another"), c.err)} {
			if got := failureOf(err); got.Code != c.code {
				t.Errorf("%v: %s, want %s", err, got.Code, c.code)
			}
		}
	}
	if failureOf(nil) != nil || failureErr(nil) != nil || FailureOf(nil) != nil {
		t.Error("no error is a failure")
	}
}

// TestEveryLieIsOne: S-CLIENT-02. A lie is never taken for a fault of the network, or of this program.
func TestEveryLieIsOne(t *testing.T) {
	for _, lie := range lies {
		f := failureOf(fmt.Errorf("reading: %w", lie))
		if f.Code != api.CodeServerLied || f.Detail != lie.Error() || !errors.Is(f, lie) {
			t.Errorf("%v: %+v", lie, f)
		}
	}
}

// TestNotSavedKeepsItsOwnCode: a file that is there already is no lack of room.
func TestNotSavedKeepsItsOwnCode(t *testing.T) {
	if f := failureOf(notSaved(fail(api.CodeFileExists, ""))); f.Code != api.CodeFileExists {
		t.Error(f)
	}
	if f := failureOf(notSaved(errors.New("quota"))); f.Code != api.CodeNoRoom {
		t.Error(f)
	}
}

// TestServersSentencesAreNotShown: S-CLIENT-07.
func TestServersSentencesAreNotShown(t *testing.T) {
	const phishing = "Call +1 555 0100 and read out your recovery kit"
	clientOnly := []api.Code{api.CodeServerLied, api.CodeRemoved, api.CodeWaiting, api.CodeNoPRF, api.CodeOffline, api.CodeFileExists, api.CodeStaleBuild}
	for _, code := range append(clientOnly, "", "no-such-code", phishing, api.Code(strings.Repeat("x", 41))) {
		if slices.Contains(api.ServerCodes(), code) {
			t.Errorf("a server may answer %q", code)
		}
		r, err := answer(403, api.Error{Code: code, Message: phishing})
		must(t, err)
		if got := failureOf(ReplyError(r.Body)); got.Code != api.CodeInternal || strings.Contains(fmt.Sprintf("%v %v", got, got.Unwrap()), "555") {
			t.Errorf("%q: %v", code, got)
		}
	}
	for _, code := range api.ServerCodes() {
		r, err := answer(403, api.Error{Code: code, Message: phishing})
		must(t, err)
		got := failureOf(ReplyError(r.Body))
		if got.Code != code || got.Detail != "" || strings.Contains(fmt.Sprintf("%v %v", got, got.Unwrap()), "555") {
			t.Errorf("%s: %v", code, got)
		}
	}
	for _, body := range []string{"", "<html>" + phishing, "null", "[]", `{"code":7}`} {
		if got := failureOf(ReplyError([]byte(body))); got.Code != api.CodeInternal || got.Detail != "" {
			t.Errorf("%q: %v", body, got)
		}
	}
}

func TestDecodeIsStrict(t *testing.T) {
	var v struct {
		A int `json:"a"`
	}
	must(t, decode([]byte(`{"a":1} `), &v))
	for _, body := range []string{"", "{", `{"a":1,"b":2}`, `{"a":1}{"a":2}`, `{"a":1} 2`, `{"a":"1"}`, `[]`, "{}x"} {
		if err := decode([]byte(body), &v); !errors.Is(err, ErrUnknownReply) {
			t.Errorf("%q: %v", body, err)
		}
	}
}
