package uplink

import "time"

// backoff returns the longest wait before try n (from 0): lo, 2 lo, 4 lo, ... at most hi.
func backoff(n int, lo, hi time.Duration) time.Duration {
	for ; n > 0 && lo < hi; n-- {
		lo *= 2
	}
	return min(lo, hi)
}

// jitter spreads a wait over all of (0, d], so that devices that lost one broker
// together do not come back together. r is uniform in [0, 1).
func jitter(d time.Duration, r float64) time.Duration {
	return d - time.Duration(r*float64(d))
}
