package run

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"strings"
	"syscall"
	"time"

	"github.com/fondue-server/fondue/bench/load"
	"github.com/fondue-server/fondue/bench/proc"
)

// grace is how long a generator may take to end after it is told to: it still
// awaits the replies to what it has sent.
const grace = 20 * time.Second

// generate loads one server from another process. The server's CPU is read just
// before the measured time, while the generator waits, and just after it, when
// nothing more is sent: a late reading adds no more than what was on the way. When
// ctx ends, the generator stops early, and its count is still whole.
func (r *runner) generate(ctx context.Context, s *server, settings load.Settings) (load.Outcome, error) {
	command := exec.Command(r.config.Generator[0], r.config.Generator[1:]...)
	var complaint bytes.Buffer
	command.Stderr = &complaint
	// Ctrl-C is for this process, which then stops the generator.
	command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	in, err := command.StdinPipe()
	if err != nil {
		return load.Outcome{}, err
	}
	out, err := command.StdoutPipe()
	if err != nil {
		return load.Outcome{}, err
	}
	if err := command.Start(); err != nil {
		return load.Outcome{}, fmt.Errorf("the load generator: %w", err)
	}
	told := json.NewEncoder(in).Encode(settings) // whole, before ctx may close it
	release := context.AfterFunc(ctx, func() { in.Close() })
	defer release()
	killed := context.AfterFunc(ctx, func() {
		time.AfterFunc(grace, func() { _ = command.Process.Kill() }) // no error matters: it has ended then
	})
	defer killed()
	outcome, err := follow(s, in, out)
	err = errors.Join(told, err)
	in.Close()
	_, _ = io.Copy(io.Discard, out) // a generator that is still writing would not end
	if waited := command.Wait(); err == nil {
		err = waited
	} else if text := strings.TrimSpace(complaint.String()); text != "" {
		err = errors.New(text) // what ended the generator, rather than that its output ended
	}
	return outcome, err
}

func follow(s *server, in io.Writer, out io.Reader) (load.Outcome, error) {
	lines := json.NewDecoder(out)
	var (
		mark    load.Mark
		used    [2]proc.CPU
		waited  [2]proc.Waits
		outcome load.Outcome
	)
	for i := range used {
		err := lines.Decode(&mark)
		if err == nil {
			used[i], err = proc.ReadCPU(s.PIDs)
		}
		if err == nil {
			waited[i], err = readWaits(s)
		}
		if err == nil && i == 0 {
			// An error is that of a pipe that ctx has closed, or of a generator that has
			// ended, which the next line shows.
			_, _ = fmt.Fprintln(in, load.Go)
		}
		if err != nil {
			return load.Outcome{}, err
		}
	}
	if err := lines.Decode(&outcome); err != nil {
		return load.Outcome{}, err
	}
	outcome.Round.User, outcome.Round.System = used[1].Since(used[0])
	outcome.Round.Waited = waited[1].Since(waited[0])
	return outcome, nil
}

func readWaits(s *server) (proc.Waits, error) {
	pids, err := s.PIDs()
	if err != nil {
		return nil, err
	}
	return proc.ReadWaits(pids)
}
