// Package schema is the tables of the lake as FORMAT.md, section 6, has them: columns with their field ids,
// partitions, order and properties. The golden file in testdata holds the code to it.
package schema
