// Package loop serves many connections on one thread: it accepts, reads, has a
// Protocol answer, and writes. It knows connections and bytes. What the bytes mean is
// the protocol's business, and there may be several, one for each door.
//
// A request that has arrived whole costs one read, one write and its share of a wait,
// and nothing else of the kernel or of the Go scheduler: no goroutine is woken for it.
// Requests that arrived together are answered together. What a protocol does not
// answer itself leaves the loop with its connection (HandOver), and whoever takes it
// may wait and compute at leisure. A protocol's step must not: all others wait for it.
//
// # States
//
//	fresh ──► partial ◄──► idle          idle: every request is answered
//	   └────────┬────────────┘
//	        replying ──► idle            replying: the client does not take its replies
//
// From each of them a connection may be closed; from each but replying it may be handed
// over, and comes back idle; and with a last reply it is closing before it is closed:
// the replies are sent, the client is told so, and what it still sends is
// read and thrown away for a while. A connection that is closed with unread bytes is
// reset, and the reset may overtake the last reply.
//
// # Time
//
// Each state has a limit from its beginning, idle from the last request on. A wheel of slots, a tenth of a
// second each, keeps them: a request moves its connection's deadline by one store,
// and the wheel looks at the connection when the time comes that was true before.
// Nothing is ended by the clock that has sent something: before it closes, the loop
// looks once more.
//
// # Order
//
// Everything happens on the goroutine of Run, except where a method says otherwise.
// Other goroutines have their say by Post and Do.
package loop
