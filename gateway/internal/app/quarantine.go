package app

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"sync"

	"github.com/headwater-iot/headwater/gateway/internal/decision"
	"github.com/headwater-iot/headwater/gateway/internal/log"
	"github.com/headwater-iot/headwater/shared/record"
)

// QuarantinePath is where the control socket takes decisions on held readings.
const QuarantinePath = "/quarantine"

// maxDecisions bounds one question: each is a record of the log, and all are waited for.
const maxDecisions = 4096

// QuarantineRequest asks for decisions. Their ids are the gateway's to give.
type QuarantineRequest struct {
	Decisions []decision.Quarantine `json:"decisions"`
}

// QuarantineAnswer says what became of them, in their order.
type QuarantineAnswer struct {
	Decided []decision.Outcome `json:"decided"`
}

// verdicts brings what landing says of decisions to who waits for it.
type verdicts struct {
	mu      sync.Mutex
	waiting map[string]chan decision.Outcome // by id; guarded by mu
}

func newVerdicts() *verdicts { return &verdicts{waiting: map[string]chan decision.Outcome{}} }

// await returns where the verdict on a new decision will come, and its id.
func (v *verdicts) await() (id string, verdict <-chan decision.Outcome) {
	id = rand.Text()
	c := make(chan decision.Outcome, 1) // one verdict, which must not keep landing waiting
	v.mu.Lock()
	defer v.mu.Unlock()
	v.waiting[id] = c
	return id, c
}

func (v *verdicts) forget(id string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	delete(v.waiting, id)
}

// tell is called by landing once a decision is committed. One of an earlier run of the gateway has nobody who waits.
func (v *verdicts) tell(d decision.Outcome) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if c := v.waiting[d.ID]; c != nil {
		c <- d
		delete(v.waiting, d.ID)
	}
}

// decide logs decisions, and answers when all of them have been carried out.
func (g *Gateway) decide(ctx context.Context, req QuarantineRequest) (QuarantineAnswer, error) {
	if n := len(req.Decisions); n > maxDecisions {
		return QuarantineAnswer{}, fmt.Errorf("%d decisions at once; at most %d are taken", n, maxDecisions)
	}
	payloads := make([][]byte, len(req.Decisions))
	pending := make([]<-chan decision.Outcome, len(req.Decisions))
	for i := range req.Decisions {
		q := &req.Decisions[i]
		q.ID, pending[i] = g.verdicts.await()
		defer g.verdicts.forget(q.ID)
		var err error
		if payloads[i], err = q.Append(nil); err != nil {
			return QuarantineAnswer{}, err
		}
	}
	for i := range req.Decisions {
		r := log.Record{Kind: log.Replay, Partition: g.partitionOf(&req.Decisions[i]), Payload: payloads[i]}
		if _, err := g.log.Append(ctx, r); err != nil {
			return QuarantineAnswer{}, fmt.Errorf("%d of %d decisions are logged and will be carried out: %w", i, len(payloads), err)
		}
	}
	var ans QuarantineAnswer
	for _, c := range pending {
		select {
		case d := <-c:
			ans.Decided = append(ans.Decided, d)
		case <-ctx.Done():
			return ans, errors.New("the gateway stops; the decisions are in its log and are carried out when it runs again")
		}
	}
	return ans, nil
}

// partitionOf returns where a decision belongs: behind the batches of its device.
func (g *Gateway) partitionOf(q *decision.Quarantine) int {
	if q.Record != nil {
		return max(0, q.Record.Partition) % g.log.Partitions()
	}
	return record.Partition(q.Device, g.log.Partitions())
}
