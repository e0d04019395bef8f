// Package settings is the gateway's configuration: one tree, one constructor
// with every default, one check that reports all problems at once.
//
// Promise: a file with an unknown key, a duplicate key or a wrong type is
// refused with file:line:column; nothing is guessed. Proved by TestDecode.
package settings
