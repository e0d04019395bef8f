package intake

const (
	// DefaultCreditRate is what all backlogs together may bring: half of what one core lands.
	DefaultCreditRate = 16 << 20
	// DefaultCreditBacklog is where landing is so far behind that backlogs had better wait on the devices.
	DefaultCreditBacklog = 1 << 30
	// CreditFloor never stops anybody: an agent assumes the same when it hears nothing.
	CreditFloor = 3 << 10
)

// credit is the backlog rate of one client in bytes per second; in.mu is held. The formula is in doc.go.
func (in *Intake) credit(backlog int64) uint64 {
	room := max(0, in.cfg.CreditBacklog-backlog)
	all := float64(in.cfg.CreditRate) * float64(room) / float64(in.cfg.CreditBacklog)
	return uint64(max(CreditFloor, all/float64(max(1, len(in.clients)))))
}
