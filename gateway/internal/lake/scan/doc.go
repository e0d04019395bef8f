// Package scan is what people see of the tables: a filter they can type, and rows as exact text.
//
// The filter (Where):
//
//	expression = and {"or" and} ;
//	and        = not {"and" not} ;
//	not        = ["not"] ("(" expression ")" | comparison) ;
//	comparison = column ("=" | "!=" | "<>" | "<" | "<=" | ">" | ">=") literal
//	           | column ["not"] "in" "(" literal {"," literal} ")"
//	           | column "is" ["not"] "null" ;
//	literal    = "'" text "'" | number | "true" | "false" ;
//
// A quote within text is written twice. A column of times is compared with text: RFC 3339, or a date; bytes are
// compared with hex digits. Words may be of any case. Every refusal says at which character.
//
// Rows are exact in every format: a float is the shortest text that reads back the same bits (NaN payloads apart), a
// time is RFC 3339 in UTC with microseconds, an integer has all its digits. Null is empty in csv (an empty text is
// ""), null in jsonl, and blank in table. In jsonl a float that JSON cannot say is "NaN", "Infinity" or "-Infinity".
//
// FuzzWhere shows that no filter makes the parser panic or recurse without bound; TestFormats holds the golden text.
package scan
