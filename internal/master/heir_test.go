package master

import (
	"errors"
	"log/slog"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fondue-server/fondue/internal/handoff"
	"github.com/fondue-server/fondue/internal/shm"
)

// An heir that is ready does not give up before its lender does: that one might
// hand over to it in the end.
func TestTakeOverWaits(t *testing.T) {
	for _, handsOver := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			region, err := shm.NewHeap(shm.Geometry{Size: 1 << 20, Slots: 2})
			if err != nil {
				t.Fatal(err)
			}
			lenders, _, err := region.AttachMaster(false)
			if err != nil {
				t.Fatal(err)
			}
			own, _, err := region.AttachMaster(true)
			if err != nil {
				t.Fatal(err)
			}
			channel, theirs := net.Pipe()
			id := lenders.ID()
			m := &Master{
				cfg:     Config{Log: slog.New(slog.DiscardHandler)},
				tenancy: &tenancy{region: region, store: own},
				lender:  &lender{Upgrade: handoff.Upgrade{Slot: id.Slot, Generation: id.Generation}, channel: channel},
			}
			done := make(chan error, 1)
			go func() { done <- m.takeOver() }()
			if message, err := handoff.ReadReady(theirs); err != nil || !message.Ready {
				t.Fatalf("%+v, %v", message, err)
			}
			time.Sleep(time.Hour) // it is stopped
			synctest.Wait()
			select {
			case err := <-done:
				t.Fatalf("it did not wait: %v", err)
			default:
			}
			if handsOver {
				if _, err := (handoff.ReadyMessage{Ready: true}).WriteTo(theirs); err != nil {
					t.Fatal(err)
				}
			}
			theirs.Close()
			if err := <-done; handsOver == (err != nil) || !handsOver && !errors.Is(err, handoff.ErrNoMessage) {
				t.Errorf("it hands over: %v; %v", handsOver, err)
			}
			if ready := own.MasterState(own.ID()) == shm.StateReady; handsOver && !ready {
				t.Error("the heir is not in charge")
			}
		})
	}
}
