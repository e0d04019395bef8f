package bind

import (
	"errors"
	"log/slog"
	"net"
	"os"
	"strconv"
	"strings"
	"testing"
)

func TestListen(t *testing.T) {
	logger := slog.New(slog.DiscardHandler)
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	busy := taken.Addr().String()
	tests := []struct {
		name string
		addr Address
		want string // part of the error, "" = bound
	}{
		{"loopback", Address{Listen: "127.0.0.1:0"}, ""},
		{"all addresses", Address{Listen: ":0"}, "--insecure-lan"},
		{"all addresses, meant", Address{Listen: "0.0.0.0:0", InsecureLAN: true}, ""},
		{"no port", Address{What: "HTTP", Listen: "127.0.0.1"}, "listen for HTTP"},
		{"busy and asked for", Address{Listen: busy}, "process " + strconv.Itoa(os.Getpid())},
		{"busy default", Address{Listen: busy, OtherPort: true}, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			l, err := tt.addr.Bind(logger)
			if err == nil {
				defer l.Close()
			}
			if (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
				t.Errorf("Bind says %v, want %q", err, tt.want)
			}
			if tt.name == "all addresses" && !errors.Is(err, ErrNotLoopback) {
				t.Errorf("%v is not ErrNotLoopback", err)
			}
		})
	}
}
