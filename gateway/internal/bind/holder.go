package bind

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// tcpListen is the state of a listening socket in /proc/net/tcp.
const tcpListen = "0A"

// holder names the process that listens on a port, as far as we may look; "" if it cannot be found.
func holder(proc string, port int) string {
	hex := fmt.Sprintf(":%04X", uint16(port))
	sockets := map[string]bool{}
	for _, table := range []string{"tcp", "tcp6"} {
		listening(filepath.Join(proc, "net", table), hex, sockets)
	}
	if len(sockets) == 0 {
		return ""
	}
	fds, err := filepath.Glob(filepath.Join(proc, "[0-9]*", "fd", "*"))
	if err != nil {
		return ""
	}
	for _, fd := range fds {
		link, err := os.Readlink(fd)
		if err != nil || !sockets[link] {
			continue
		}
		dir := filepath.Dir(filepath.Dir(fd))
		pid, err := strconv.Atoi(filepath.Base(dir))
		if err != nil {
			continue
		}
		name, err := os.ReadFile(filepath.Join(dir, "comm"))
		if err != nil {
			continue // it has ended
		}
		return strings.TrimSpace(string(name)) + ", process " + strconv.Itoa(pid)
	}
	return ""
}

// listening adds the sockets of one table that listen on a port, as their descriptors are called.
func listening(table, port string, into map[string]bool) {
	f, err := os.Open(table)
	if err != nil {
		return
	}
	defer f.Close() //nolint:errcheck // only read
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		// sl local_address rem_address st tx:rx tr:when retrnsmt uid timeout inode ...
		field := strings.Fields(lines.Text())
		if len(field) > 9 && strings.HasSuffix(field[1], port) && field[3] == tcpListen {
			into["socket:["+field[9]+"]"] = true
		}
	}
}
