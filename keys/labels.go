package keys

// Label names one purpose of a key. Every derivation, signature and HPKE
// context in Underseal starts with one, so that what was made for one purpose
// means nothing for another (attacks 7, 21). All of them stand in this file.
type Label string

// Identity and devices.
const (
	LabelIdentitySeed   Label = "underseal/v1/identity/seed"
	LabelIdentityWrap   Label = "underseal/v1/identity/wrap"
	LabelIdentitySign   Label = "underseal/v1/identity/sign"
	LabelIdentitySignEd Label = "underseal/v1/identity/sign-ed25519"
	LabelKeyring        Label = "underseal/v1/keyring"
	LabelKeyringSign    Label = "underseal/v1/keyring/sign"
	LabelDeviceCache    Label = "underseal/v1/device/cache"
	LabelFingerprint    Label = "underseal/v1/fingerprint"
	LabelCommitment     Label = "underseal/v1/commitment"
)

// Epochs of a compartment.
const (
	LabelEpochEntryKey   Label = "underseal/v1/epoch/entry-key"
	LabelEpochStateLink  Label = "underseal/v1/epoch/state-link"
	LabelEpochTrailLink  Label = "underseal/v1/epoch/trail-link"
	LabelHistoryEntryKey Label = "underseal/v1/history/entry-key"
	LabelHistoryLink     Label = "underseal/v1/history/link"
)

// HPKE: the info string begins with one of these.
const (
	LabelWrapEpoch      Label = "underseal/v1/wrap/epoch"
	LabelWrapTrail      Label = "underseal/v1/wrap/trail"
	LabelWrapInvite     Label = "underseal/v1/wrap/invite"
	LabelWrapShare      Label = "underseal/v1/wrap/share"
	LabelWrapRecovery   Label = "underseal/v1/wrap/recovery"
	LabelWrapDevice     Label = "underseal/v1/wrap/device"
	LabelWrapDeviceName Label = "underseal/v1/wrap/device-name"
)

// Signatures.
const (
	LabelSignEntry     Label = "underseal/v1/sign/entry"
	LabelSignStatement Label = "underseal/v1/sign/statement"
	LabelSignKeys      Label = "underseal/v1/sign/keys"
	LabelSignSession   Label = "underseal/v1/sign/session"
	LabelSignRelease   Label = "underseal/v1/sign/release"
	LabelSignKeyLink   Label = "underseal/v1/sign/key-link"
	LabelSignKeyring   Label = "underseal/v1/sign/keyring"
	LabelSignRoot      Label = "underseal/v1/sign/root"
	LabelSignRequest   Label = "underseal/v1/sign/request"
	LabelSignDevice    Label = "underseal/v1/sign/device"
	LabelSignChange    Label = "underseal/v1/sign/change"
)

// A device that another one enrols.
const (
	LabelDeviceCode  Label = "underseal/v1/device/code"
	LabelDeviceWords Label = "underseal/v1/device/words"
)

// Invites.
const (
	LabelInviteKey       Label = "underseal/v1/invite/key"
	LabelInviteSeal      Label = "underseal/v1/invite/seal"
	LabelInviteAccept    Label = "underseal/v1/invite/accept"
	LabelInviteAcceptKey Label = "underseal/v1/invite/accept-key"
)

// Recovery by custodians.
const (
	LabelRecoveryKey   Label = "underseal/v1/recovery/key"
	LabelRecoverySeal  Label = "underseal/v1/recovery/seal"
	LabelRecoveryClaim Label = "underseal/v1/recovery/claim"
	LabelRecoverySplit Label = "underseal/v1/recovery/split"
)

// Sealed things: the associated data begins with one of these.
const (
	LabelSealEntry    Label = "underseal/v1/seal/entry"
	LabelSealManifest Label = "underseal/v1/seal/manifest"
	LabelSealBody     Label = "underseal/v1/seal/body"
	LabelSealDEK      Label = "underseal/v1/seal/dek"
	LabelSealVault    Label = "underseal/v1/seal/vault"
	LabelSealHistory  Label = "underseal/v1/seal/history"
	LabelSealJournal  Label = "underseal/v1/seal/journal"
	LabelSealSnapshot Label = "underseal/v1/seal/snapshot"
	LabelSealTrail    Label = "underseal/v1/seal/trail"
	LabelSealKeyring  Label = "underseal/v1/seal/keyring"
	LabelSealCache    Label = "underseal/v1/seal/cache"
	LabelSealEscrow   Label = "underseal/v1/seal/escrow"
)

// Login and unlock: always a pair, because the server learns everything about
// a login and must learn nothing about the unlock (attack 22).
const (
	LabelLoginKit         Label = "underseal/v1/login/kit"
	LabelLoginPassphrase  Label = "underseal/v1/login/passphrase"
	LabelUnlockKit        Label = "underseal/v1/unlock/kit"
	LabelUnlockPassphrase Label = "underseal/v1/unlock/passphrase"
	LabelUnlockPasskey    Label = "underseal/v1/unlock/passkey"
	LabelUnlockPassword   Label = "underseal/v1/unlock/password"
	LabelPasskeySalt      Label = "underseal/v1/unlock/passkey-salt"
	LabelAccountSecret    Label = "underseal/v1/account/secret"
)

// Sign-in through an identity provider: what binds it to the browser that began it, from a secret which that browser keeps.
const (
	LabelSSOState    Label = "underseal/v1/sso/state"
	LabelSSONonce    Label = "underseal/v1/sso/nonce"
	LabelSSOVerifier Label = "underseal/v1/sso/verifier"
)

// Labels returns every label. A label that is declared and missing here fails
// a test.
func Labels() []Label {
	return []Label{
		LabelIdentitySeed, LabelIdentityWrap, LabelIdentitySign, LabelIdentitySignEd,
		LabelKeyring, LabelKeyringSign, LabelDeviceCache, LabelFingerprint, LabelCommitment,

		LabelEpochEntryKey, LabelEpochStateLink, LabelEpochTrailLink,
		LabelHistoryEntryKey, LabelHistoryLink,

		LabelWrapEpoch, LabelWrapTrail, LabelWrapInvite, LabelWrapShare, LabelWrapRecovery, LabelWrapDevice, LabelWrapDeviceName,

		LabelSignEntry, LabelSignStatement, LabelSignKeys, LabelSignSession, LabelSignRelease, LabelSignKeyLink, LabelSignKeyring, LabelSignRoot, LabelSignRequest, LabelSignDevice, LabelSignChange,

		LabelDeviceCode, LabelDeviceWords,

		LabelInviteKey, LabelInviteSeal, LabelInviteAccept, LabelInviteAcceptKey,

		LabelRecoveryKey, LabelRecoverySeal, LabelRecoveryClaim, LabelRecoverySplit,

		LabelSealEntry, LabelSealManifest, LabelSealBody, LabelSealDEK,
		LabelSealVault, LabelSealHistory, LabelSealJournal, LabelSealSnapshot, LabelSealTrail, LabelSealKeyring, LabelSealCache, LabelSealEscrow,

		LabelLoginKit, LabelLoginPassphrase,
		LabelUnlockKit, LabelUnlockPassphrase, LabelUnlockPasskey, LabelUnlockPassword, LabelPasskeySalt, LabelAccountSecret,

		LabelSSOState, LabelSSONonce, LabelSSOVerifier,
	}
}
