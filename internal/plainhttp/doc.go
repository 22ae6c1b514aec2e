// Package plainhttp reads the requests of HTTP/1.1 that leave nothing to judge, and
// writes their answers.
//
// Most requests to a hot route look alike, byte for byte: a request line, a Host and
// a few fields that nobody here looks at. Such a request is recognised by its exact
// form. Of anything else the Scanner says that it is in doubt, and a complete parser
// is asked, from the first byte of the request on. So nothing is ever read in two
// ways: what this package takes, every parser takes, and means the same.
//
// The form, with one space where one is written and CR LF after each line:
//
//	GET /target HTTP/1.1      or POST; the target has visible ASCII without '#'
//	Host: name[:port]         once, as a plain name, an IPv4 or an [IPv6] address
//	Field: value              any number; token names, visible ASCII and spaces in values
//	                          (an empty line)
//
// Of the fields, Connection is keep-alive or close, Content-Length is 0, either once
// at the most. A field whose name begins as one does that frames a message, makes it
// conditional or changes the connection must be one that is known not to.
package plainhttp
