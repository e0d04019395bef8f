// Package status is the agent's local page: / for a person, /metrics for a
// scraper, /healthz for a supervisor, /status as JSON.
//
// Promises: it only reads, from loopback only (settings refuses anything else),
// without templates or scripts; a slow client cannot hold a handler; Serve
// returns when the last handler has ended. Proved by TestPages.
package status
