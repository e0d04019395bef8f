package sht4x

import (
	"context"
	"errors"
	"time"

	"periph.io/x/conn/v3/i2c"
)

// ErrCRC reports an answer that was damaged on the wires.
var ErrCRC = errors.New("checksum is wrong (long wires, or no pull-ups?)")

// ask sends a command and reads the two words of its answer once the chip has had its time.
func ask(ctx context.Context, b i2c.Bus, addr uint16, cmd byte, wait time.Duration) (first, second uint16, err error) {
	if err := ctx.Err(); err != nil {
		return 0, 0, err
	}
	if err := b.Tx(addr, []byte{cmd}, nil); err != nil {
		return 0, 0, err
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return 0, 0, ctx.Err()
	case <-timer.C:
	}
	var r [6]byte
	if err := b.Tx(addr, nil, r[:]); err != nil {
		return 0, 0, err
	}
	if crc8(r[:2]) != r[2] || crc8(r[3:5]) != r[5] {
		return 0, 0, ErrCRC
	}
	return uint16(r[0])<<8 | uint16(r[1]), uint16(r[3])<<8 | uint16(r[4]), nil
}

// crc8 is the checksum of a word: polynomial 0x31, from 0xFF.
func crc8(word []byte) byte {
	crc := byte(0xFF)
	for _, b := range word {
		crc ^= b
		for range 8 {
			if crc&0x80 != 0 {
				crc = crc<<1 ^ 0x31
			} else {
				crc <<= 1
			}
		}
	}
	return crc
}
