// Package disk says how much room a file system has, in the words that an operator needs.
//
// Promises: Space asks the kernel at each call and keeps nothing (TestSpaceOfADirectory). Nothing can be lost here.
package disk
