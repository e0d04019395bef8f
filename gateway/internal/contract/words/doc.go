// Package words defines, once, the words that contracts, status pages, commands and documents share.
//
// Promise: nobody else defines them: a contract whose glossary does is refused (TestWordsAreDefinedOnce, in package
// contract). What is said of a device, a window, a reading or a series anywhere is said in this sense.
//
// Nothing is kept here, so nothing can be lost here.
package words
