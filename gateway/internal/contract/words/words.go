package words

// Term is a word and what it means.
type Term struct {
	Word    string `json:"word"`
	Meaning string `json:"meaning"`
}

// All returns the words in the order of the alphabet.
func All() []Term {
	return []Term{
		{"complete", "a window is complete when every reading that its devices numbered in it has landed or is accounted for, none is missing, and none can come any more"},
		{"late", "a reading is late when more than the allowedLateness of its contract lay between its event_time and its received_time"},
		{"offline", "a device is offline while no connection of it to the gateway is open"},
		{"stale", "a series is stale while its newest landed reading is older than the freshness that its contract promises, or than three times the interval in which a reading is due"},
	}
}

// Meaning returns what a word means, or "" if it is none of these.
func Meaning(word string) string {
	for _, t := range All() {
		if t.Word == word {
			return t.Meaning
		}
	}
	return ""
}
