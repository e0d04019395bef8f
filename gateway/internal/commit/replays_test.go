package commit_test

import (
	"fmt"

	"pgregory.net/rapid"

	"github.com/headwater-iot/headwater/gateway/internal/decision"
	"github.com/headwater-iot/headwater/gateway/internal/land"
	"github.com/headwater-iot/headwater/shared/seqset"
)

// withReplays puts decisions on held readings behind messages, some of them twice.
func withReplays(t *rapid.T, messages []message) []message {
	for i := range rapid.IntRange(0, 6).Draw(t, "replays") {
		about := rapid.SampledFrom(messages).Draw(t, "about")
		if about.epoch == 0 || about.kind != land.KindBatch || about.from == about.to {
			continue
		}
		from := rapid.Uint64Range(about.from, about.to-1).Draw(t, "from")
		seqs := seqset.Of(seqset.Range{From: from, To: rapid.Uint64Range(from+1, about.to+3).Draw(t, "to")})
		q := decision.Quarantine{
			Verb: rapid.SampledFrom([]decision.Verb{decision.Replay, decision.Replay, decision.Discard}).Draw(t, "verb"),
			ID:   fmt.Sprint(i), Device: about.client, Epoch: about.epoch, Flat: seqs.Flat(),
		}
		payload, err := q.Append(nil)
		if err != nil {
			t.Fatal(err)
		}
		for range rapid.IntRange(1, 2).Draw(t, "times") {
			at := rapid.IntRange(0, len(messages)).Draw(t, "at")
			m := message{kind: land.KindReplay, client: about.client, payload: payload}
			messages = append(messages[:at:at], append([]message{m}, messages[at:]...)...)
		}
	}
	return messages
}
