package httpapi

// ServerName is what the server that calls Handle must be named.
const ServerName = "fondue"

// MaxHeader is how many bytes the request line and the header may have. The
// server that calls Handle must be set to it, and to MaxBody.
const MaxHeader = 8 << 10

// bodyAround is what a body may have beside a value of the largest size: white
// space, and the other operations of a batch.
const bodyAround = 64 << 10

// MaxBody is how many bytes a body may have where a value may have maxValue.
func MaxBody(maxValue int64) int { return int(maxValue) + bodyAround }
