// Package status is the agent's local page: / for a person, /metrics for a
// scraper, /healthz for a supervisor, /status as JSON.
//
// It answers HTTP/1 by itself, one GET a connection: the server of net/http would
// be 0.52 MB of a binary that may have 9 MB (measured on armv6).
//
// Promises: it only reads, from loopback only (settings refuses anything else),
// without templates or scripts; a client that is slow, endless or gone holds
// nothing but its seat, for ten seconds (TestBadClients); Serve returns when the
// last client has been answered (TestPages). It loses nothing: it holds nothing.
package status
