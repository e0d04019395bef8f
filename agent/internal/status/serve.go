package status

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"time"
)

const (
	patience   = 10 * time.Second // for one request: the page is small and near
	maxHead    = 8 << 10          // bytes of a request
	maxClients = 8                // at a time; more wait in the kernel's queue
)

// Status lines.
const (
	ok          = "200 OK"
	badRequest  = "400 Bad Request"
	notFound    = "404 Not Found"
	notAllowed  = "405 Method Not Allowed"
	unavailable = "503 Service Unavailable"
)

const plain = "text/plain; charset=utf-8"

// answer is a response.
type answer struct {
	code, kind string
	body       []byte
}

// Serve answers on l until ctx ends, and closes l. An accept that fails is tried again: the page is
// never a reason for the agent to stop.
func (p Page) Serve(ctx context.Context, l net.Listener) error {
	var clients sync.WaitGroup
	defer clients.Wait()
	stop := context.AfterFunc(ctx, func() { _ = l.Close() })
	defer stop()
	seats := make(chan struct{}, maxClients)
	for {
		c, err := l.Accept()
		switch {
		case ctx.Err() != nil:
			if err == nil {
				_ = c.Close()
			}
			return nil
		case err != nil: // out of file descriptors, say
			select {
			case <-ctx.Done():
			case <-time.After(time.Second):
			}
			continue
		}
		seats <- struct{}{}
		clients.Go(func() {
			defer func() { <-seats }()
			p.serve(ctx, c)
		})
	}
}

// serve answers one request. A client that is gone or too slow is the client's matter.
func (p Page) serve(ctx context.Context, c net.Conn) {
	defer func() { _ = c.Close() }()
	stop := context.AfterFunc(ctx, func() { _ = c.Close() })
	defer stop()
	_ = c.SetDeadline(time.Now().Add(patience))
	a := answer{code: badRequest, kind: plain, body: []byte("this is no HTTP/1 request\n")}
	method, path, err := readHead(bufio.NewReader(io.LimitReader(c, maxHead)))
	switch {
	case err != nil:
	case method != "GET" && method != "HEAD":
		a = answer{code: notAllowed, kind: plain, body: []byte("the page is read only\n")}
	default:
		a = p.answer(path)
	}
	head := fmt.Sprintf("HTTP/1.1 %s\r\nContent-Type: %s\r\nContent-Length: %d\r\nX-Content-Type-Options: nosniff\r\nCache-Control: no-store\r\nConnection: close\r\n\r\n",
		a.code, a.kind, len(a.body))
	if method == "HEAD" {
		a.body = nil
	}
	_, _ = c.Write(append([]byte(head), a.body...))
}

// readHead reads a request up to its empty line.
func readHead(r *bufio.Reader) (method, path string, err error) {
	first, err := r.ReadString('\n')
	for line := first; err == nil && strings.TrimRight(line, "\r\n") != ""; {
		line, err = r.ReadString('\n')
	}
	if err != nil {
		return "", "", fmt.Errorf("read request: %w", err)
	}
	words := strings.Fields(first)
	if len(words) != 3 || !strings.HasPrefix(words[2], "HTTP/1.") {
		return "", "", fmt.Errorf("read request: no request line: %.40q", first)
	}
	path, _, _ = strings.Cut(words[1], "?")
	return words[0], path, nil
}
