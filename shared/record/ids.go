package record

import (
	"errors"
	"fmt"
	"hash/fnv"
	"strconv"
	"strings"
)

// MaxDevice is the longest device name in bytes.
const MaxDevice = 64

// MaxSeq bounds first+count of a batch, so that a seq always fits an Iceberg long.
const MaxSeq = 1<<63 - 1

// ErrDevice reports a device name that no topic, file or table may carry.
var ErrDevice = errors.New("device name must be 1 to 64 of A-Z a-z 0-9 . _ : -, first a letter or digit")

// Epoch names one start of an agent process: 64 random bits, never 0.
type Epoch uint64

// String returns 16 lower-case hex digits, the form tables and logs carry.
func (e Epoch) String() string { return hex16(uint64(e)) }

// ParseEpoch is the inverse of String.
func ParseEpoch(s string) (Epoch, error) {
	v, err := parseHex16(s)
	return Epoch(v), err
}

// Boot names one start of the device's operating system; never 0.
type Boot uint64

// String returns 16 lower-case hex digits.
func (b Boot) String() string { return hex16(uint64(b)) }

// ParseBoot is the inverse of String.
func ParseBoot(s string) (Boot, error) {
	v, err := parseHex16(s)
	return Boot(v), err
}

func hex16(v uint64) string {
	const digits = "0123456789abcdef"
	var b [16]byte
	for i := len(b) - 1; i >= 0; i-- {
		b[i] = digits[v&15]
		v >>= 4
	}
	return string(b[:])
}

func parseHex16(s string) (uint64, error) {
	if len(s) != 16 || strings.ToLower(s) != s {
		return 0, fmt.Errorf("parse id %q: want 16 lower-case hex digits", s)
	}
	v, err := strconv.ParseUint(s, 16, 64)
	if err != nil {
		return 0, fmt.Errorf("parse id %q: want 16 lower-case hex digits", s)
	}
	return v, nil
}

// CheckDevice returns ErrDevice unless name may name a device.
func CheckDevice(name string) error {
	if len(name) == 0 || len(name) > MaxDevice {
		return ErrDevice
	}
	for i := range len(name) {
		c := name[i]
		alnum := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
		if alnum || i > 0 && (c == '.' || c == '_' || c == ':' || c == '-') {
			continue
		}
		return ErrDevice
	}
	return nil
}

// importMark separates the device from the import in a client id.
const importMark = "+import-"

// DeviceOf returns the device that an MQTT client id speaks for: the id itself,
// or what stands before "+import-<16 hex>". It returns an error for any other id.
func DeviceOf(client string) (string, error) {
	device, rest, imported := strings.Cut(client, importMark)
	if err := CheckDevice(device); err != nil {
		return "", fmt.Errorf("client %q: %w", client, err)
	}
	if imported {
		if _, err := parseHex16(rest); err != nil {
			return "", fmt.Errorf("client %q: %w", client, err)
		}
	}
	return device, nil
}

// ImportClient returns the client id under which an import of a device's file connects.
func ImportClient(device string, epoch Epoch) string { return device + importMark + epoch.String() }

// Partition returns the partition of a device: fnv1a64(device) mod partitions.
func Partition(device string, partitions int) int {
	h := fnv.New64a()
	_, _ = h.Write([]byte(device))
	return int(h.Sum64() % uint64(partitions))
}
