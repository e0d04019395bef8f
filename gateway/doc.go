// Package gateway is the gateway's side of Headwater, in the order a reading
// passes it:
//
//	frontdoor  an embedded MQTT broker; hands every publish to intake before it answers
//	consumer   in its place, a client of a broker that somebody else runs
//	intake     size, CRCs, versions, identity; refuses with a nack; says stored and landed
//	log        one fsynced chain for all partitions: "stored" means it is here
//	land       decodes once, clips to what no cursor has closed, stamps event time
//	cursor     which seqs of a (device, epoch) are closed: the whole state of deduplication
//	commit     when to commit, with what, and what to do when the outcome is unknown
//	lake       Parquet, Iceberg tables, one catalogue transaction for all of them
//	console    health, metrics and a status page over HTTP
//
// internal/app joins them; no stage knows another. What may be lost at each
// place, and which test proves it, stands in each package's doc.go.
package gateway
