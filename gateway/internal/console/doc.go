// Package console is the operator's door: /healthz, /readyz, /metrics and one
// plain page at /.
//
// Promises: it only reads; a slow client cannot hold a handler for longer than
// the write deadline; /readyz says yes exactly while devices are served. The
// page is the same text that `headwater-gateway tables` prints, without scripts
// or assets; it says what the words mean that every surface shares (package words). Proved by TestConsole.
package console
