//go:build js && wasm

package main

import (
	"context"
	"encoding/json"
	"time"

	"github.com/underseal/underseal/client"
	"github.com/underseal/underseal/protocol/api"
	"github.com/underseal/underseal/protocol/chain"
	"github.com/underseal/underseal/protocol/wire"
)

// ids are the identifiers that parameters name; only those of a method are set.
type ids struct {
	Matter   wire.Hash     `json:"matter"`
	Firm     wire.Hash     `json:"firm"`
	Document wire.ObjectID `json:"document"`
	Version  wire.ObjectID `json:"version"`
	Transfer wire.ObjectID `json:"transfer"`
	Invite   wire.ObjectID `json:"invite"`
	Member   wire.ObjectID `json:"member"`
}

// words are the texts that parameters carry.
type words struct {
	Secret   string `json:"secret"`
	Person   string `json:"person"`
	Fragment string `json:"fragment"`
	Kit      string `json:"kit"`
	Name     string `json:"name"`
	Folder   string `json:"folder"`
	Role     string `json:"role"`
	Mode     string `json:"mode"`
	Reason   string `json:"reason"`
	Days     int    `json:"days"`
}

func (b *binding) table() map[string]func(context.Context, input) (any, error) {
	c := b.client
	return map[string]func(context.Context, input) (any, error){
		"start": func(context.Context, input) (any, error) {
			state := "signed-out"
			switch {
			case c.SignedIn():
				state = "signed-in"
			case c.Locked():
				state = "locked"
			}
			return map[string]string{"state": state}, nil
		},
		"setupOpen": func(ctx context.Context, in input) (any, error) {
			var p struct{ Secret string }
			if err := in.decode(&p); err != nil {
				return nil, err
			}
			return nil, c.OpenSetup(ctx, p.Secret)
		},
		"setupOptions": func(ctx context.Context, in input) (any, error) {
			var p struct{ Secret, Person, Firm string }
			if err := in.decode(&p); err != nil {
				return nil, err
			}
			return options(c.SetupOptions(ctx, p.Secret, p.Person, p.Firm))
		},
		"setupFinish": func(ctx context.Context, in input) (any, error) {
			u, err := in.unlocker()
			if err != nil {
				return nil, err
			}
			if err := c.SetupFinish(ctx, u); err != nil {
				return nil, err
			}
			return c.Overview(ctx)
		},
		"inviteOpen": withWords(func(ctx context.Context, p words) (any, error) {
			i, err := c.OpenInvite(ctx, p.Fragment)
			return i.View(), err
		}),
		"inviteOptions": func(ctx context.Context, _ input) (any, error) { return options(c.InviteOptions(ctx)) },
		"inviteFinish": func(ctx context.Context, in input) (any, error) {
			u, err := in.unlocker()
			if err != nil {
				return nil, err
			}
			return joined(c.InviteFinish(ctx, u))
		},
		"inviteAccept":  func(ctx context.Context, _ input) (any, error) { return joined(c.AcceptInvite(ctx)) },
		"signinOptions": func(ctx context.Context, _ input) (any, error) { return options(c.SignInOptions(ctx)) },
		"signinFinish": func(ctx context.Context, in input) (any, error) {
			u, err := in.unlocker()
			if err != nil {
				return nil, err
			}
			if err := c.SignInPasskey(ctx, u.Credential, u.PRF); err != nil {
				return nil, err
			}
			return c.Overview(ctx)
		},
		"signinKit": withWords(func(ctx context.Context, p words) (any, error) {
			if err := c.SignInKit(ctx, p.Kit); err != nil {
				return nil, err
			}
			return c.Overview(ctx)
		}),
		"signOut": func(ctx context.Context, _ input) (any, error) {
			c.SignOut(ctx)
			return nil, nil
		},
		"overview":   func(ctx context.Context, _ input) (any, error) { return c.Overview(ctx) },
		"account":    func(context.Context, input) (any, error) { return c.Account() },
		"kitCreate":  func(context.Context, input) (any, error) { return c.CreateKit() },
		"kitTest":    withWords(func(_ context.Context, p words) (any, error) { return nil, c.TestKit(p.Kit) }),
		"kitConfirm": func(ctx context.Context, _ input) (any, error) { return nil, c.ConfirmKit(ctx) },
		"refusalsExport": func(context.Context, input) (any, error) {
			text, err := c.ExportRefusals()
			return map[string]string{"name": "underseal-refusals.json", "text": string(text)}, err
		},
		"matterCreate": func(ctx context.Context, in input) (any, error) {
			var p struct {
				Firm wire.Hash
				Name string
			}
			if err := in.decode(&p); err != nil {
				return nil, err
			}
			id, err := c.CreateMatter(ctx, p.Firm, p.Name)
			return map[string]string{"matter": id.String()}, err
		},
		"matterOpen":    withIDs(func(ctx context.Context, p ids) (any, error) { return c.Matter(ctx, p.Matter) }),
		"matterRefresh": withIDs(func(ctx context.Context, p ids) (any, error) { return nil, c.Refresh(ctx, p.Matter) }),
		"matterRename": both(func(ctx context.Context, p ids, w words) (any, error) {
			return b.show(c.RenameMatter(ctx, p.Matter, w.Name))
		}),
		"documentRename": both(func(ctx context.Context, p ids, w words) (any, error) {
			return b.show(c.Place(ctx, p.Matter, []wire.ObjectID{p.Document}, func(d *chain.Document) (string, string) { return w.Name, d.Folder }))
		}),
		"documentMove": func(ctx context.Context, in input) (any, error) {
			p, err := in.documents()
			if err != nil {
				return nil, err
			}
			return b.show(c.Place(ctx, p.Matter, p.Documents, func(d *chain.Document) (string, string) { return d.Name, p.Folder }))
		},
		"documentDelete": func(ctx context.Context, in input) (any, error) {
			p, err := in.documents()
			if err != nil {
				return nil, err
			}
			return b.show(c.DeleteDocuments(ctx, p.Matter, p.Documents))
		},
		"inviteCreate": both(func(ctx context.Context, p ids, w words) (any, error) {
			role, ok := chain.ParseRole(w.Role)
			if !ok || w.Days < 1 || w.Days > 90 {
				return nil, &client.Failure{Code: api.CodeBadRequest}
			}
			mode, err := client.ParseMode(w.Mode)
			if err != nil {
				return nil, err
			}
			link, invite, err := c.Invite(ctx, p.Matter, w.Person, role, mode, time.Now().Add(time.Duration(w.Days)*24*time.Hour))
			return map[string]string{"link": link, "invite": invite.String()}, err
		}),
		"namesLike": both(func(ctx context.Context, p ids, w words) (any, error) {
			list, err := c.NamesLike(ctx, p.Matter, w.Name)
			return map[string]any{"alike": list}, err
		}),
		"inviteConfirm": withIDs(func(ctx context.Context, p ids) (any, error) { return b.show(c.ConfirmInvite(ctx, p.Matter, p.Invite)) }),
		"inviteCancel":  withIDs(func(ctx context.Context, p ids) (any, error) { return b.show(c.CancelInvite(ctx, p.Matter, p.Invite)) }),
		"memberRemove":  withIDs(func(ctx context.Context, p ids) (any, error) { return b.show(c.RemoveMember(ctx, p.Matter, p.Member)) }),

		"upload":        func(ctx context.Context, in input) (any, error) { return b.upload(ctx, in) },
		"uploadVersion": func(ctx context.Context, in input) (any, error) { return b.uploadVersion(ctx, in) },
		"download":      func(ctx context.Context, in input) (any, error) { return b.download(ctx, in) },
		"transferFile": func(ctx context.Context, in input) (any, error) {
			var p ids
			if err := in.decode(&p); err != nil {
				return nil, err
			}
			return nil, c.ProvideFile(ctx, p.Transfer, source{in.objects.Index(0)})
		},
		"transferPause":   withIDs(func(_ context.Context, p ids) (any, error) { return nil, c.PauseTransfer(p.Transfer) }),
		"transferResume":  withIDs(func(ctx context.Context, p ids) (any, error) { return nil, c.ResumeTransfer(ctx, p.Transfer) }),
		"transferCancel":  withIDs(func(ctx context.Context, p ids) (any, error) { return nil, c.CancelTransfer(ctx, p.Transfer) }),
		"transferDismiss": withIDs(func(_ context.Context, p ids) (any, error) { return nil, c.DismissTransfer(p.Transfer) }),
		"transfers": func(context.Context, input) (any, error) {
			return map[string]any{"transfers": c.Transfers()}, nil
		},
	}
}

func withIDs(call func(context.Context, ids) (any, error)) func(context.Context, input) (any, error) {
	return func(ctx context.Context, in input) (any, error) {
		var p ids
		if err := in.decode(&p); err != nil {
			return nil, err
		}
		return call(ctx, p)
	}
}

func withWords(call func(context.Context, words) (any, error)) func(context.Context, input) (any, error) {
	return func(ctx context.Context, in input) (any, error) {
		var p words
		if err := in.decode(&p); err != nil {
			return nil, err
		}
		return call(ctx, p)
	}
}

func both(call func(context.Context, ids, words) (any, error)) func(context.Context, input) (any, error) {
	return func(ctx context.Context, in input) (any, error) {
		var p ids
		if err := in.decode(&p); err != nil {
			return nil, err
		}
		return withWords(func(ctx context.Context, w words) (any, error) { return call(ctx, p, w) })(ctx, in)
	}
}

// optionsJSON is what the page needs for a passkey's gesture.
type optionsJSON struct {
	PublicKey json.RawMessage `json:"publicKey"`
	PRFSalt   []byte          `json:"prfSalt"` // base64 here; worker.ts makes it an ArrayBuffer
}

func options(o client.Options, err error) (any, error) {
	return optionsJSON{PublicKey: o.PublicKey, PRFSalt: o.PRFSalt[:]}, err
}

func (in input) unlocker() (client.Unlocker, error) {
	var p struct {
		Passkey struct {
			Credential json.RawMessage `json:"credential"`
		} `json:"passkey"`
		Code string `json:"code"`
	}
	if err := in.decode(&p); err != nil {
		return client.Unlocker{}, err
	}
	return client.Unlocker{Credential: p.Passkey.Credential, PRF: in.secret, Code: p.Code}, nil
}

// joined says where a guest stands: to wait for a confirmation is no failure.
func joined(id wire.ChainID, err error) (any, error) {
	state := "open"
	if f := client.FailureOf(err); f != nil && f.Code == api.CodeWaiting {
		state, err = "waiting", nil
	}
	return map[string]string{"matter": id.String(), "state": state}, err
}

func (b *binding) show(s *chain.State, err error) (any, error) {
	if err != nil {
		return nil, err
	}
	return b.client.Show(s)
}

type documentList struct {
	Matter    wire.Hash       `json:"matter"`
	Documents []wire.ObjectID `json:"documents"`
	Folder    string          `json:"folder"`
}

func (in input) documents() (documentList, error) {
	var p documentList
	return p, in.decode(&p)
}

func (b *binding) upload(ctx context.Context, in input) (any, error) {
	var p struct {
		Matter wire.Hash `json:"matter"`
		Folder string    `json:"folder"`
		Files  []struct {
			Path string `json:"path"`
			Type string `json:"type"`
		} `json:"files"`
	}
	if err := in.decode(&p); err != nil {
		return nil, err
	}
	files := make([]client.File, len(p.Files))
	for i, f := range p.Files {
		files[i] = client.File{Path: f.Path, Type: f.Type, Source: source{in.objects.Index(i)}}
	}
	return started(b.client.Upload(ctx, p.Matter, p.Folder, files))
}

func (b *binding) uploadVersion(ctx context.Context, in input) (any, error) {
	var p struct {
		ids
		Type string `json:"type"`
	}
	if err := in.decode(&p); err != nil {
		return nil, err
	}
	return started(b.client.UploadVersion(ctx, p.Matter, p.Document, client.File{Type: p.Type, Source: source{in.objects.Index(0)}}))
}

func started(transfers []wire.ObjectID, err error) (any, error) {
	if transfers == nil {
		transfers = []wire.ObjectID{}
	}
	return map[string]any{"transfers": transfers}, err
}

func (b *binding) download(ctx context.Context, in input) (any, error) {
	var p ids
	if err := in.decode(&p); err != nil {
		return nil, err
	}
	id, err := b.client.Download(ctx, p.Matter, p.Document, p.Version, sink{in.objects.Index(0)})
	return map[string]string{"transfer": id.String()}, err
}
