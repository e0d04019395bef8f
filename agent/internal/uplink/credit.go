package uplink

import "time"

const (
	// creditLife is how long the gateway's word on our rate holds.
	creditLife = 60 * time.Second
	// creditFloor, in bytes per second, is the rate without a word: enough to empty 10 MB
	// an hour, too little for 10,000 devices to hurt a gateway that has just come back.
	creditFloor = 3 << 10
	// creditBurst is the longest time whose credit can be saved up.
	creditBurst = 2 * time.Second
)

// bucket meters the backlog lane. It may go into debt by one batch, so that a batch
// larger than the bucket still passes.
type bucket struct {
	rate    float64 // bytes per second
	until   time.Time
	tokens  float64
	updated time.Time
}

// set takes the gateway's credit; it never falls below the floor.
func (b *bucket) set(credit uint64, now time.Time) {
	b.refill(now)
	b.rate, b.until = max(float64(credit), creditFloor), now.Add(creditLife)
}

// current returns the rate at now.
func (b *bucket) current(now time.Time) float64 {
	if now.Before(b.until) {
		return b.rate
	}
	return creditFloor
}

func (b *bucket) refill(now time.Time) {
	if b.updated.IsZero() {
		b.updated = now
	}
	// The stretch is paid at two rates when the credit went stale within it.
	fresh := max(0, min(now.Sub(b.updated), b.until.Sub(b.updated)))
	stale := now.Sub(b.updated) - fresh
	b.tokens += b.rate*fresh.Seconds() + creditFloor*stale.Seconds()
	b.tokens = min(b.tokens, b.current(now)*creditBurst.Seconds())
	b.updated = now
}

// ready returns 0 when a batch may go, else how long to wait.
func (b *bucket) ready(now time.Time) time.Duration {
	b.refill(now)
	if b.tokens >= 0 {
		return 0
	}
	return time.Duration(-b.tokens/b.current(now)*float64(time.Second)) + time.Millisecond
}

// spend takes the bytes of a batch that went.
func (b *bucket) spend(bytes int) { b.tokens -= float64(bytes) }
