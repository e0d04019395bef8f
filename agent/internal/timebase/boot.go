package timebase

import (
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"

	"github.com/headwater-iot/headwater/shared/record"
)

// BootPath is where Linux tells the id of the running boot.
const BootPath = "/proc/sys/kernel/random/boot_id"

// ErrBoot reports a boot id that names no boot.
var ErrBoot = errors.New("not a boot id")

// ReadBoot reads the id of the running boot: the first 8 bytes of the UUID in the file, big-endian.
func ReadBoot(path string) (record.Boot, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return 0, fmt.Errorf("read boot id: %w", err)
	}
	s := strings.ReplaceAll(strings.TrimSpace(string(b)), "-", "")
	if _, err := hex.DecodeString(s); err != nil || len(s) != 32 {
		return 0, fmt.Errorf("read boot id %s: %w: %q", path, ErrBoot, s)
	}
	v, err := strconv.ParseUint(s[:16], 16, 64)
	if err != nil || v == 0 {
		return 0, fmt.Errorf("read boot id %s: %w: %q", path, ErrBoot, s)
	}
	return record.Boot(v), nil
}
