package app

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"

	"github.com/headwater-iot/headwater/agent/internal/settings"
	"github.com/headwater-iot/headwater/shared/durable"
	"github.com/headwater-iot/headwater/shared/record"
)

// ErrOtherDevice means a data directory with the readings of another device.
var ErrOtherDevice = errors.New("the data directory is another device's")

// identity returns the name of the device whose readings the data directory holds. A new directory
// takes the name in the settings. Later a name that only came from the host gives way: a host that
// is renamed must neither stop sampling nor leave its waiting readings behind under the old name.
func identity(s settings.Settings, log *slog.Logger) (string, error) {
	path := filepath.Join(s.Data, "device")
	text, err := os.ReadFile(path)
	known := strings.TrimSpace(string(text))
	switch {
	case errors.Is(err, fs.ErrNotExist), err == nil && record.CheckDevice(known) != nil: // new, or damaged
		if err := (durable.Disk{}).WriteFile(path, []byte(s.Device+"\n"), 0o600); err != nil {
			return "", fmt.Errorf("name data directory: %w", err)
		}
		return s.Device, nil
	case err != nil:
		return "", fmt.Errorf("read the device of the data directory: %w", err)
	case known != s.Device && s.Named:
		return "", fmt.Errorf("data directory %s: %w: %s, not %s (give the new device a directory of its own: --data)",
			s.Data, ErrOtherDevice, known, s.Device)
	case known != s.Device:
		log.Warn("the host has another name now; the device keeps its own", "device", known, "host", s.Device)
	}
	return known, nil
}
