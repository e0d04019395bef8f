// Package strictyaml reads configuration files and takes nothing for granted.
//
// It walks the YAML tree against the struct's yaml tags itself, because no decoder at hand reports all
// problems at once with position, dotted path and the key that was probably meant:
//
//	agent.yaml:7:3: outbox.max_bites: unknown key (did you mean max_bytes?)
//
// What the file does not mention keeps the value it had, so defaults are set before decoding; an empty
// file changes nothing. Understood are structs (nested, embedded, inline), slices, string maps,
// pointers, strings, bools, numbers, time.Duration ("72h"), Size ("64MiB") and every type with an
// UnmarshalText method. A Raw keeps a value of any type until Doc.Section or its own Decode reads it. An element of a list that has a SetDefaults method gets it called first.
// Refused are unknown and repeated keys, anchors and aliases, a second document, and values of another
// type. Parse keeps the positions, so that the program's own checks can point into the file too.
//
// Promise: a file is taken whole or refused with every problem in it (TestGolden), no input panics and
// all problems carry a position inside the file (FuzzDecode).
// What can be lost: comments and key order are not kept; this package only reads.
package strictyaml
