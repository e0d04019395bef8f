package contract

import (
	"slices"

	"github.com/headwater-iot/headwater/shared/record"
)

// masked is what stands in place of a masked text.
const masked = "***"

// impersonal takes the person out of the values. What was null stays null, and each value that was changed says so.
func (j *judge) impersonal() {
	col := *j.out.Column
	if j.out.Quality == nil {
		j.out.Quality = make([]record.Quality, j.n)
	}
	for cell := range j.n {
		if !j.null(cell) {
			j.out.Quality[cell] |= record.ContractMasked
		}
	}
	if col.Kind == record.Text {
		texts := slices.Clone(col.Texts)
		for cell := range j.n {
			if !j.null(cell) {
				texts[cell] = j.hide(texts[cell])
			}
		}
		col.Texts = texts
	} else { // a number, a boolean or bytes that identify somebody: nothing of it may land
		col.Kind, col.Unit, col.Texts = record.Text, "", make([]string, j.n)
		col.Floats, col.Ints, col.Uints, col.Bools, col.Blobs = nil, nil, nil, nil, nil
		for cell := range j.n {
			if !j.null(cell) {
				col.Texts[cell] = masked
			}
		}
	}
	j.out.Column = &col
}

func (j *judge) hide(text string) string {
	if j.series.Personal == Hashed && j.contract.pseudonym != nil {
		return j.contract.pseudonym(text)
	}
	return masked
}
