package consumer

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"testing"

	"github.com/headwater-iot/headwater/gateway/internal/door"
)

// silent listens, and that is all.
func silent(t *testing.T) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return l
}

// stream is a connection that brings bytes, a few at a time.
type stream struct {
	net.Conn
	io.Reader
}

func (s stream) Read(p []byte) (int, error) { return s.Reader.Read(p[:min(len(p), 1000)]) }

func packet(kind byte, length int) []byte {
	body := bytes.Repeat([]byte{kind}, length)
	return append(binary.AppendUvarint([]byte{kind << 4}, uint64(length)), body...)
}

func TestCrop(t *testing.T) {
	const most = door.MaxPacket
	for name, c := range map[string]struct {
		in, out []byte
		err     error // nil = any but io.EOF
	}{
		"as they are":         {append(packet(2, 2), packet(3, most)...), append(packet(2, 2), packet(3, most)...), io.EOF},
		"nothing":             {nil, nil, io.EOF},
		"an empty packet":     {packet(13, 0), packet(13, 0), io.EOF},
		"one byte too long":   {append(packet(3, most+1), packet(4, 2)...), append(packet(3, most), packet(4, 2)...), io.EOF},
		"far too long":        {append(packet(3, 3<<20), packet(4, 2)...), append(packet(3, most), packet(4, 2)...), io.EOF},
		"too long, no end":    {packet(3, 3<<20)[:2<<20], packet(3, most), io.EOF},
		"no publish":          {append(packet(4, 2), packet(9, most+1)...), packet(4, 2), nil},
		"longer than MQTT is": {[]byte{3 << 4, 0xff, 0xff, 0xff, 0xff, 0x7f}, nil, nil},
	} {
		t.Run(name, func(t *testing.T) {
			conn := crop(stream{Reader: bytes.NewReader(c.in)}, func() {})
			var out bytes.Buffer
			_, err := io.Copy(&out, struct{ io.Reader }{conn})
			if err == nil {
				err = io.EOF // as Copy says it
			}
			if !bytes.Equal(out.Bytes(), c.out) {
				t.Errorf("%d bytes came out, want %d", out.Len(), len(c.out))
			}
			if c.err == nil && errors.Is(err, io.EOF) || c.err != nil && !errors.Is(err, c.err) {
				t.Errorf("ended with %v", err)
			}
			<-conn.gone
		})
	}
}
