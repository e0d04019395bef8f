// Package table holds the rows of Headwater's tables as plain values, and what
// one commit is made of. Landing fills them, the lake writes them; neither
// knows the other. Columns are those of shared/wire/FORMAT.md, section 6.
package table
