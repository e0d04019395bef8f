package simbus

// words are the registers of chips that have them 16 bits wide behind a pointer, high byte first.
type words struct {
	regs    [16]uint16
	pointer byte
}

// tx moves the pointer, hands a written word to write, and reads on at the pointer.
func (p *words) tx(w, r []byte, write func(reg byte, v uint16)) error {
	if len(w) > 0 {
		if int(w[0]) >= len(p.regs) {
			return ErrNack
		}
		p.pointer = w[0]
	}
	if len(w) >= 3 {
		write(p.pointer, uint16(w[1])<<8|uint16(w[2]))
	}
	for i := range r {
		r[i] = byte(p.regs[p.pointer] >> (8 - 8*(i&1)))
	}
	return nil
}
