package evilserver

// Attack is one of the catalogue: the published attacks on systems of this kind, in our words.
type Attack struct {
	Number int
	Title  string
	// Detected: it cannot be prevented, and the test asserts that it is seen.
	Detected bool
	// Due: this milestone's. The scorecard fails where such a case does not pass.
	Due bool
}

const (
	due      = true
	later    = false
	detected = true
	refused  = false
)

// Attacks is the catalogue, by number.
var Attacks = []Attack{
	{1, "another key in place of a new person's, when something is shared with him", refused, due},
	{2, "another key for somebody whom everybody knows", refused, due},
	{3, "one person is shown other keys than the rest", refused, due},
	{4, "a revoked key comes back", refused, due},
	{5, "two people whose names look the same", detected, due},
	{6, "a certificate from the provider's own authority", refused, due},
	{7, "a key or signature of one kind taken for one of another", refused, due},
	{8, "an invite answered by the server, or keys handed over without a gesture", refused, due},
	{9, "guessed enrolments, and approval of somebody else's device", refused, due},
	{10, "a recipient without a key: so send it in clear", refused, due},
	{11, "a weaker stretch of the password", refused, due},
	{12, "a stretch that stops the device", refused, due},
	{13, "another salt, or the same for all", refused, due},
	{14, "a sealed private key overwritten", refused, due},
	{15, "errors of an unlock that tell something", refused, due},
	{16, "a new device is handed other keys", refused, due},
	{17, "a whole vault in place of another", refused, due},
	{18, "recovery enrolled to the attacker's key", refused, due},
	{19, "other custodians, a lower threshold, old shares", refused, due},
	{20, "talked into giving up the password for a connector", refused, due},
	{21, "one key used in two protocols", refused, due},
	{22, "what signs in also decrypts", refused, due},
	{23, "one ciphertext that tests many passwords", refused, due},
	{24, "a session that outlives what should end it", refused, due},
	{25, "a matter key that the attacker knows", refused, due},
	{26, "a ghost on the roster", refused, due},
	{27, "a removal that is hidden, or never followed by a rotation", refused, due},
	{28, "somebody removed lets himself in again", refused, due},
	{29, "a role that grew by itself", refused, due},
	{30, "two owners' changes split into two histories", refused, due},
	{31, "an old epoch offered as the newest", refused, due},
	{32, "a newcomer reads more of the past than was granted", refused, later},
	{33, "a wrap from another matter, epoch or person", refused, due},
	{34, "keys wrapped to a list that the server wrote", refused, due},
	{35, "different keys for different members of one epoch", refused, due},
	{36, "a matter without an owner is taken over", refused, later},
	{37, "something unsigned taken for a colleague's", refused, due},
	{38, "an older suite", refused, due},
	{39, "flipped bits", refused, due},
	{40, "chunks reordered, doubled, dropped, cut or added", refused, due},
	{41, "chunks of another file or version", refused, due},
	{42, "two files' keys swapped", refused, due},
	{43, "a key or nonce used again for an update", refused, due},
	{44, "empty files and files that end on a boundary", refused, due},
	{45, "content handed out before it was verified", refused, due},
	{46, "a preview that is not the document's", refused, later},
	{47, "a ciphertext that opens in two ways", refused, due},
	{48, "a size, hash or time that is not true", refused, due},
	{49, "a resumed upload that is not the one that was paused", refused, due},
	{50, "a document that attacks its reader", refused, later},
	{51, "names changed or swapped", refused, due},
	{52, "a file moved to another folder or matter", refused, due},
	{53, "another author or time", refused, due},
	{54, "files put into somebody's matter", refused, due},
	{55, "an older version of one file", detected, due},
	{56, "an older state of a whole matter", detected, due},
	{57, "a file left out", detected, due},
	{58, "a deleted file comes back", refused, due},
	{59, "a legal hold lifted", refused, later},
	{60, "names that climb folders, hide characters or hold markup", refused, due},
	{61, "a link that gives its key to the server", refused, due},
	{62, "a link's password that the server ignores", refused, later},
	{63, "a link's secret that can be guessed", refused, later},
	{64, "a link that works for longer than it said", detected, later},
	{65, "a link to read that comes to write", refused, later},
	{66, "another key for a drop", refused, later},
	{67, "a drop that vanished", detected, later},
	{68, "uploads that nobody made", refused, later},
	{69, "an uploader who sees others' drops", refused, later},
	{70, "a link used up by a preview", refused, later},
	{71, "two views of the log", detected, due},
	{72, "a log cut, rolled back or reordered", refused, due},
	{73, "an event left out", refused, due},
	{74, "an event forged to blame somebody", refused, due},
	{75, "an event of another matter", refused, due},
	{76, "ciphertext served without a line in the log", detected, due},
	{77, "lengths after compression", refused, due},
	{78, "equal files that make equal ciphertexts", refused, due},
	{79, "files known by their size", refused, due},
	{80, "a search that tells what is searched for", refused, later},
	{81, "content that leaves by pictures, previews or mail", refused, due},
	{82, "other code for one person", detected, later},
	{83, "page and module of different builds", refused, due},
	{84, "script in a document, keys that can be taken out", refused, later},
	{85, "a route that forgets to ask who calls", refused, due},
	{86, "memory used up through a blob", refused, later},
	{87, "who has an account", refused, due},
	{88, "any answer, bent in any way", refused, due},
}
