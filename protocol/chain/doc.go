// Package chain is the state machine of a chain: a firm or a compartment.
//
// A chain is a sequence of entries. An entry is effect ‖ envelope: the effect is clear and tells the server what to do,
// the envelope is sealed and tells members why it is true. A client calls Open with the keys it unwrapped, then Apply
// for each entry in order; what State then says is derived from signed entries alone, never from the server. To change
// something, call one of State's authoring methods (Batch, Invite, Admit, Rotate, ...), send the Submission, and Apply
// its entry once the server has accepted it.
//
// A parsed entry is not a verified one: only Apply verifies. Anything an honest server would have refused, or that does
// not link, open or verify, is an error and stops the chain (SPEC S-CHAIN-02). What an honest server could not see, such
// as an edit that lost a race, is void: it is kept in State.Voids and changes nothing.
package chain
