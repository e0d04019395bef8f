package nmea

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"time"

	"github.com/headwater-iot/headwater/agent/internal/sensor"
	"github.com/headwater-iot/headwater/agent/internal/sensor/serialport"
	"github.com/headwater-iot/headwater/shared/meter"
	"github.com/headwater-iot/headwater/shared/record"
)

const (
	// DefaultBaud is what most receivers of today speak; the standard has 4800.
	DefaultBaud = 9600
	// DefaultMaxAge is three fixes of a receiver as it leaves the factory.
	DefaultMaxAge = 3 * time.Second
	// mostLine is far above the 82 characters of the standard, which nobody keeps.
	mostLine = 1024
)

// The series.
const (
	latitudeSeries   = "latitude"
	longitudeSeries  = "longitude"
	altitudeSeries   = "altitude"
	speedSeries      = "speed"
	courseSeries     = "course"
	satellitesSeries = "satellites"
	hdopSeries       = "hdop"
	qualitySeries    = "fix_quality"
	timeSeries       = "gnss_time"
)

// Settings say which receiver to listen to.
type Settings struct {
	// URL is serial:///dev/ttyACM0 or tcp://host:port.
	URL string `yaml:"url"`
	// Settings are those of a serial line; 9600 baud by default.
	serialport.Settings `yaml:",inline"`
	// MaxAge is how old a fix may be that is given; 3s by default.
	MaxAge time.Duration `yaml:"max_age,omitempty"`
	// Unchecked allows sentences without a checksum.
	Unchecked bool `yaml:"unchecked,omitempty"`
	// GNSSTime adds the series gnss_time.
	GNSSTime bool `yaml:"gnss_time,omitempty"`
}

// Check reports every problem of the settings.
func (s Settings) Check(report sensor.Report) {
	scheme, address, _ := strings.Cut(s.URL, "://")
	_, port, err := net.SplitHostPort(address)
	switch {
	case scheme == "serial" && strings.HasPrefix(address, "/"):
		s.Settings.Check(report)
	case scheme != "tcp" || err != nil || port == "":
		report("url", "must be serial:///dev/ttyACM0 or tcp://host:port, not %q", s.URL)
	case s.Settings != (serialport.Settings{}):
		report("url", "is no serial line: baud, parity and stop_bits mean nothing there")
	}
	if s.MaxAge < 0 {
		report("max_age", "must not be negative")
	}
}

// Announce returns the series.
func (s Settings) Announce() []record.Cell {
	cells := sensor.Floats(latitudeSeries, "lat", longitudeSeries, "lon", altitudeSeries, "m",
		speedSeries, "m/s", courseSeries, "deg", hdopSeries, "")
	cells = append(cells,
		record.FailedCell(satellitesSeries, "count", record.Int), record.FailedCell(qualitySeries, "", record.Int))
	if s.GNSSTime {
		cells = append(cells, record.FailedCell(timeSeries, "s", record.Float))
	}
	return cells
}

// Receiver is an open receiver. It implements sensor.Driver.
type Receiver struct {
	settings Settings
	in       io.ReadCloser
	news     chan struct{} // room for one: a sentence has come since somebody looked
	done     chan struct{} // closed when the goroutine that reads has ended
	bad      map[error]*meter.Counter

	mu    sync.Mutex
	track track // guarded by mu
	lines int   // guarded by mu: bad ones since the latest good sentence
	last  error // guarded by mu: what was wrong with the latest bad one
	end   error // guarded by mu: why the goroutine ended
}

// ErrLong means that no line ended for too long; the speed may be wrong.
var ErrLong = errors.New("a line without end (is the baud rate right?)")

// Open opens the line and begins to listen. Name is that of the sensor; registry may be nil.
func Open(ctx context.Context, s Settings, name string, registry *meter.Registry) (*Receiver, error) {
	in, err := dial(ctx, s)
	if err != nil {
		return nil, err
	}
	return start(s, in, name, registry), nil
}

// start listens to what is open.
func start(s Settings, in io.ReadCloser, name string, registry *meter.Registry) *Receiver {
	r := &Receiver{
		settings: s, in: in, news: make(chan struct{}, 1), done: make(chan struct{}), bad: map[error]*meter.Counter{},
	}
	for reason, err := range map[string]error{
		"garbage": ErrGarbage, "unchecked": ErrUnchecked, "checksum": ErrChecksum, "field": ErrField, "long": ErrLong,
	} {
		r.bad[err] = registry.Counter("headwater_nmea_bad_lines_total", "Lines of a receiver that could not be used.",
			"sensor", name, "reason", reason)
	}
	go r.listen() // Close waits for it
	return r
}

func dial(ctx context.Context, s Settings) (io.ReadCloser, error) {
	scheme, address, _ := strings.Cut(s.URL, "://")
	if scheme == "serial" {
		port, err := serialport.Open(address, s.Or(DefaultBaud))
		if err != nil {
			return nil, err // and not a nil *os.File in an interface
		}
		return port, nil
	}
	c, err := new(net.Dialer).DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, fmt.Errorf("connect to receiver: %w", err)
	}
	return c, nil
}

// listen reads until the line ends.
func (r *Receiver) listen() {
	defer close(r.done)
	in := bufio.NewReaderSize(r.in, mostLine)
	for {
		line, err := in.ReadSlice('\n')
		switch {
		case errors.Is(err, bufio.ErrBufferFull):
			r.refuse(ErrLong)
			continue
		case err != nil:
			r.mu.Lock()
			r.end = fmt.Errorf("receiver at %s is gone: %w (was it unplugged?)", r.settings.URL, err)
			r.mu.Unlock()
			return
		}
		if len(line) > 2 { // some send empty lines
			r.hear(line)
		}
	}
}

// hear takes a line.
func (r *Receiver) hear(line []byte) {
	s, err := Parse(line, r.settings.Unchecked)
	if err != nil {
		r.refuse(err)
		return
	}
	r.mu.Lock()
	err = r.track.add(s, time.Now())
	if err == nil {
		r.lines = 0
	}
	r.mu.Unlock()
	if err != nil {
		r.refuse(err)
		return
	}
	select {
	case r.news <- struct{}{}:
	default:
	}
}

// refuse counts a line.
func (r *Receiver) refuse(err error) {
	for reason, counter := range r.bad {
		if errors.Is(err, reason) {
			counter.Inc()
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.lines++
	r.last = err
}

// Read gives the newest fix, and waits for one where it is too old.
func (r *Receiver) Read(ctx context.Context) ([]record.Cell, error) {
	for {
		cells, err := r.look()
		if cells != nil || err != nil {
			return cells, err
		}
		select {
		case <-r.news:
		case <-r.done:
		case <-ctx.Done():
			return nil, fmt.Errorf("wait for a fix: %w%s", ctx.Err(), r.trouble())
		}
	}
}

// look returns the readings of the newest fix, nil where it is too old, or why there will be no more.
func (r *Receiver) look() ([]record.Cell, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.end != nil {
		return nil, r.end
	}
	f, ok := r.track.latest()
	if !ok || time.Since(f.at) > cmp.Or(r.settings.MaxAge, DefaultMaxAge) {
		return nil, nil
	}
	return f.cells(r.settings.Announce()), nil
}

// trouble says what came instead of sentences.
func (r *Receiver) trouble() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.lines == 0 {
		return ""
	}
	return fmt.Sprintf(" (%d bad lines, the last one: %v)", r.lines, r.last)
}

// Close closes the line, and returns when nobody reads it any more.
func (r *Receiver) Close() error {
	err := r.in.Close()
	<-r.done
	return err
}
