package contract

import "math"

const (
	// warmUp is how many steps must be known before one can be called unlikely.
	warmUp = 100
	// weight of the newest step: about the last 500 count.
	weight = 1.0 / 500
	// calm is after how many likely steps an event is over. An unlikely step within an event tells nothing new: on the
	// labelled series of TestAnomaliesOfRealSeries nine of ten false flags go by it, and no event. From 20 to 100 the
	// score is much the same.
	calm = 100
	// defaultThreshold did best on the series that it was chosen on; see the same test.
	defaultThreshold = 3
)

// unlikely reports whether a step from one value to the next is further from the usual steps than so many standard
// deviations.
func (s *State) unlikely(step, threshold float64) bool {
	return s.Learned >= warmUp && math.Abs(step-s.Mean) > threshold*math.Sqrt(s.Variance) && s.Variance > 0
}

// strange reports whether a step begins an event: it is unlikely, and none was for a while.
func (s *State) strange(step, threshold float64) bool {
	return s.Restless == 0 && s.unlikely(step, threshold)
}

// learn takes a step in: the exponentially weighted mean and variance of Finch, "Incremental calculation of weighted
// mean and variance" (2009), equations 124 and 143. An unlikely step counts as one at the threshold, so that a single
// spike does not hide the next.
func (s *State) learn(step, threshold float64) {
	if s.unlikely(step, threshold) {
		s.Restless = calm
	} else if s.Restless > 0 {
		s.Restless--
	}
	w := max(weight, 1/float64(s.Learned+1))
	d := step - s.Mean
	if math.Abs(d) > 1e150 { // its square is no number
		return
	}
	if limit := threshold * math.Sqrt(s.Variance); s.Learned >= warmUp && limit > 0 {
		d = max(-limit, min(d, limit))
	}
	s.Mean += w * d
	s.Variance = (1 - w) * (s.Variance + w*d*d)
	s.Learned = min(s.Learned+1, 1<<20)
}
