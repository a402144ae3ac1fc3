package client

import (
	"bytes"
	"context"
	"crypto/ed25519"

	"github.com/underseal/underseal/keys/vault"
	"github.com/underseal/underseal/protocol/api"
	"github.com/underseal/underseal/protocol/device"
)

// asking is a new device that shows its code, and waits for another one.
type asking struct {
	keys   *device.Keys
	code   vault.DeviceCode
	answer *device.Answer // the first that was shown: no other takes its place
	shown  *shown         // what signed in here before and could not unlock
}

// DeviceCodeView is what a new device shows: the code to type, and the address that a camera reads.
type DeviceCodeView struct {
	Code      string `json:"code"`
	URL       string `json:"url"`
	ExpiresAt int64  `json:"expiresAt"` // milliseconds
}

// AskDevice begins to have this device enrolled by another one of an account. Nobody is signed in here.
func (c *Client) AskDevice(ctx context.Context) (DeviceCodeView, error) {
	if c.SignedIn() {
		return DeviceCodeView{}, fail(api.CodeNotAllowed, "")
	}
	k, err := device.NewKeys(c.config.Random)
	if err != nil {
		return DeviceCodeView{}, failureOf(err)
	}
	c.secret("device key", k.DeviceKey().Seed())
	request := k.Request()
	code := request.Code(c.config.Origin)
	var reply api.DeviceRequest
	send := func() error {
		return c.call(ctx, methodPost, api.RouteDeviceRequests, api.NewDeviceRequest{Request: request.Bytes()}, &reply)
	}
	if err := c.retry(ctx, send); err != nil {
		return DeviceCodeView{}, failureOf(err)
	}
	asks := &asking{keys: k, code: code}
	c.mu.Lock()
	if c.ceremony != nil {
		asks.shown = c.ceremony.shown
	}
	c.ceremony = &ceremony{asks: asks}
	c.mu.Unlock()
	return DeviceCodeView{Code: code.String(), URL: c.config.Origin + "/device#" + code.String(), ExpiresAt: reply.Expires * 1000}, nil
}

// DeviceState is where a new device's request stands.
type DeviceState string

// States.
const (
	DeviceWaiting  DeviceState = "waiting"
	DeviceAnswered DeviceState = "answered" // another device read the code: words are to be compared
	DeviceGranted  DeviceState = "granted"  // and its owner said there that they are the same
	DeviceRefused  DeviceState = "refused"
)

// DeviceAskView is what is shown beside the code. Name is what the other device calls its owner; whose it is, the words say.
type DeviceAskView struct {
	State     DeviceState `json:"state"`
	Name      string      `json:"name"`
	Words     []string    `json:"words"`
	ExpiresAt int64       `json:"expiresAt"` // milliseconds
}

// DeviceAsked looks whether another device answered.
func (c *Client) DeviceAsked(ctx context.Context) (DeviceAskView, error) {
	asks, err := c.asks()
	if err != nil {
		return DeviceAskView{}, err
	}
	v, _, err := c.deviceAsked(ctx, asks)
	return v, c.refuse(ctx, "the answer to a new device", err)
}

func (c *Client) asks() (*asking, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ceremony == nil || c.ceremony.asks == nil {
		return nil, fail(api.CodeBadRequest, "")
	}
	return c.ceremony.asks, nil
}

func (c *Client) deviceAsked(ctx context.Context, asks *asking) (v DeviceAskView, grant []byte, err error) {
	v.State, v.Words = DeviceWaiting, []string{}
	reply, err := c.deviceRequest(ctx, asks.code)
	if err != nil {
		return v, nil, err
	}
	v.ExpiresAt = reply.Expires * 1000
	if len(reply.Answer) == 0 {
		return v, nil, nil
	}
	answer, err := device.ParseAnswer(reply.Answer)
	if err != nil {
		return v, nil, err
	}
	c.mu.Lock()
	if asks.answer == nil {
		asks.answer = &answer
	}
	first := *asks.answer
	c.mu.Unlock()
	if !bytes.Equal(first.Bytes(), reply.Answer) {
		return v, nil, device.ErrAnswer // another one than the person compares
	}
	if v.Name, err = asks.keys.OpenName(c.config.Origin, first); err != nil {
		return v, nil, err
	}
	v.State, v.Words = DeviceAnswered, device.Transcript(c.config.Origin, asks.keys.Request(), first).Words()
	switch {
	case reply.Refused:
		v.State = DeviceRefused
	case len(reply.Grant) > 0:
		v.State = DeviceGranted
	}
	return v, reply.Grant, nil
}

// deviceRequest fetches what stands under a code, and holds the request to it (attack 9).
func (c *Client) deviceRequest(ctx context.Context, code vault.DeviceCode) (api.DeviceRequest, error) {
	var reply api.DeviceRequest
	if err := c.call(ctx, methodGet, api.DeviceRequestPath(code.String()), nil, &reply); err != nil {
		return reply, err
	}
	request, err := device.ParseRequest(reply.Request)
	if err != nil {
		return reply, err
	}
	return reply, request.Check(c.config.Origin, code)
}

// TakeDevice takes the account over whose words the person has compared and said yes to: it opens the grant, signs in with the key
// of the request, and unlocks. CodeWaiting says that the other device did not grant it yet.
func (c *Client) TakeDevice(ctx context.Context) error {
	asks, err := c.asks()
	if err != nil {
		return err
	}
	v, sealed, err := c.deviceAsked(ctx, asks)
	if err != nil {
		return c.refuse(ctx, "the answer to a new device", err)
	}
	switch v.State {
	case DeviceRefused:
		return fail(api.CodeRequestGone, "")
	case DeviceGranted:
	default:
		return fail(api.CodeWaiting, "")
	}
	grant, err := device.ParseGrant(sealed)
	if err != nil {
		return c.refuse(ctx, "what another device granted", err)
	}
	root, err := asks.keys.Open(c.config.Origin, *asks.answer, grant)
	if err != nil {
		return c.refuse(ctx, "what another device granted", err)
	}
	return c.signInEnrolled(ctx, asks, root)
}

func (c *Client) signInEnrolled(ctx context.Context, asks *asking, root vault.Root) error {
	reply, err := c.signInAsking(ctx, asks)
	if hasCode(err, api.CodeDeviceRevoked) {
		// As what it was before it is gone. Who has just said yes to it on another device takes it for a new one.
		reply, err = c.signInAsking(ctx, asks)
	}
	if err != nil {
		c.mu.Lock()
		c.ceremony = &ceremony{asks: asks} // to be tried again while it lasts
		c.mu.Unlock()
		return failureOf(err)
	}
	a := &account{id: asks.answer.Account, root: root}
	if reply.Account != a.id {
		return c.refuseFor(ctx, a, "the account that another device is of", ErrAccountKeys)
	}
	if err := c.openedBy(ctx, a, reply); err != nil {
		return err
	}
	c.wrapAgain(ctx, asks.shown)
	return nil
}

// signInAsking signs in with the key of the request.
func (c *Client) signInAsking(ctx context.Context, asks *asking) (reply api.Account, err error) {
	begun, err := c.beginSignIn(ctx)
	if err != nil {
		return reply, err
	}
	signature := ed25519.Sign(asks.keys.DeviceKey(), api.LoginMessage(c.config.Origin, begun.Challenge))
	return c.finishSignIn(ctx, api.SignInFinish{Enrolled: &api.DeviceLogin{Code: asks.code.String(), Signature: signature}})
}

// answering is a code that this device read.
type answering struct {
	code   vault.DeviceCode
	answer *device.Answering
	grant  []byte
}

// DeviceAnswerView is what the person compares with the new device's screen.
type DeviceAnswerView struct {
	Code      string   `json:"code"`
	Words     []string `json:"words"`
	ExpiresAt int64    `json:"expiresAt"` // milliseconds
}

// OpenDeviceCode answers a new device by the code on its screen, typed or read by a camera. Nothing is granted by it: it takes a
// fresh proof, and shows the words that GrantDevice says yes to.
func (c *Client) OpenDeviceCode(ctx context.Context, text string) (DeviceAnswerView, error) {
	a, err := c.who()
	if err != nil {
		return DeviceAnswerView{}, err
	}
	code, err := vault.ParseDeviceCode(text)
	if err != nil {
		return DeviceAnswerView{}, failureOf(err)
	}
	reply, err := c.deviceRequest(ctx, code)
	if err != nil {
		return DeviceAnswerView{}, c.refuse(ctx, "a new device", err)
	}
	x, err := c.answerOnce(a, code, reply)
	if err != nil {
		return DeviceAnswerView{}, c.refuse(ctx, "a new device", err)
	}
	if reply, err = c.putAnswer(ctx, a, code, api.DeviceAnswer{Answer: x.answer.Bytes()}); err != nil {
		return DeviceAnswerView{}, failureOf(err)
	}
	return DeviceAnswerView{Code: code.String(), Words: x.answer.Words(), ExpiresAt: reply.Expires * 1000}, nil
}

// putAnswer sends what this device answers to a code.
func (c *Client) putAnswer(ctx context.Context, a *account, code vault.DeviceCode, put api.DeviceAnswer) (reply api.DeviceRequest, err error) {
	err = c.retry(ctx, func() error {
		return c.changeFactors(ctx, a, methodPut, api.DeviceAnswerPath(code.String()), put, &reply)
	})
	return reply, err
}

// answerOnce makes the answer to a code, or is the one that was made: a server takes no second one.
func (c *Client) answerOnce(a *account, code vault.DeviceCode, reply api.DeviceRequest) (*answering, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.answering != nil && c.answering.code == code {
		return c.answering, nil
	}
	request, err := device.ParseRequest(reply.Request)
	if err != nil {
		return nil, err
	}
	answer, err := device.NewAnswer(c.config.Random, c.config.Origin, request, a.id, a.ring.Name)
	if err != nil {
		return nil, device.ErrRequest // its keys are none
	}
	c.answering = &answering{code: code, answer: answer}
	return c.answering, nil
}

// GrantDevice hands the root to the new device whose screen shows the same words: the person's gesture.
func (c *Client) GrantDevice(ctx context.Context) error {
	a, err := c.who()
	if err != nil {
		return err
	}
	c.mu.Lock()
	x := c.answering
	if x != nil && x.grant == nil {
		grant, grantErr := x.answer.Grant(c.config.Random, a.root)
		x.grant, err = grant.Bytes(), grantErr
	}
	c.mu.Unlock()
	if x == nil {
		return fail(api.CodeBadRequest, "")
	}
	if err != nil {
		return failureOf(err)
	}
	_, err = c.putAnswer(ctx, a, x.code, api.DeviceAnswer{Grant: x.grant})
	return failureErr(err)
}

// RefuseDevice tells the new device no: its words are other ones, or nobody here knows it.
func (c *Client) RefuseDevice(ctx context.Context) error {
	c.mu.Lock()
	x := c.answering
	c.answering = nil
	c.mu.Unlock()
	if x == nil {
		return nil
	}
	err := c.call(ctx, methodDelete, api.DeviceAnswerPath(x.code.String()), nil, nil)
	if hasCode(err, api.CodeRequestGone) {
		return nil
	}
	return failureErr(err)
}

// DeviceDone reports whether the device that was granted has signed in.
func (c *Client) DeviceDone(ctx context.Context) (bool, error) {
	c.mu.Lock()
	x := c.answering
	c.mu.Unlock()
	if x == nil || x.grant == nil {
		return false, fail(api.CodeBadRequest, "")
	}
	reply, err := c.deviceRequest(ctx, x.code)
	return reply.Done, c.refuse(ctx, "a new device", err)
}
