package e2e_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/fondue-server/fondue/internal/e2e"
)

func usableCPUs(t *testing.T) (cpus []int) {
	t.Helper()
	var set unix.CPUSet
	if err := unix.SchedGetaffinity(0, &set); err != nil {
		t.Fatal(err)
	}
	for cpu := 0; len(cpus) < set.Count(); cpu++ {
		if set.IsSet(cpu) {
			cpus = append(cpus, cpu)
		}
	}
	return cpus
}

// answersFrom makes so many connections on one CPU alone, and counts by pid which
// workers answer. Over the loopback they arrive on the CPU that they are made on.
func answersFrom(t *testing.T, cpu int, addr string, connections int) map[int]int {
	t.Helper()
	answers := map[int]int{}
	onThread(t, func() error {
		var set unix.CPUSet
		set.Set(cpu)
		return unix.SchedSetaffinity(0, &set)
	}, func() {
		for range connections {
			pid, err := whoAnswers(addr)
			if err != nil {
				t.Errorf("from CPU %d: %v", cpu, err)
				return
			}
			answers[pid]++
		}
	})
	return answers
}

// whoAnswers connects in the goroutine that calls it, as http.Client does not.
func whoAnswers(addr string) (pid int, err error) {
	conn, err := net.DialTimeout("tcp", addr, requestsLimit)
	if err != nil {
		return 0, err
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(requestsLimit)); err != nil {
		return 0, err
	}
	if _, err := io.WriteString(conn, "GET /report HTTP/1.1\r\nHost: fondue\r\nConnection: close\r\n\r\n"); err != nil {
		return 0, err
	}
	response, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		return 0, err
	}
	defer response.Body.Close()
	var report struct {
		PID int `json:"current_process_id"`
	}
	return report.PID, json.NewDecoder(response.Body).Decode(&report)
}

// TestSteerByCPU: a connection is answered on the CPU that it arrives on, by the
// worker that is bound to it, whatever becomes of the workers.
func TestSteerByCPU(t *testing.T) {
	t.Parallel()
	usable := usableCPUs(t)
	usable = usable[:min(len(usable), 4)]
	list := strings.Trim(strings.ReplaceAll(fmt.Sprint(usable), " ", ","), "[]")
	const connections = 30
	s := e2e.Start(t, e2e.Options{
		Workers: len(usable), Listen: []string{"127.0.0.1:0", "unix:" + t.TempDir() + "/s"},
		Flags: []string{"--steer", "cpu", "--cpu-affinity", list, "--hang-timeout", "1h"},
	})
	// want tries again: a worker that has to wait for its CPU may be taken for silent.
	// By hash so many connections would not come out right in any of the tries.
	want := func(when string, extra int) {
		t.Helper()
		e2e.Eventually(t, requestsLimit, "each CPU's connections at its workers "+when, func() bool {
			for i, cpu := range usable {
				workers := 1
				if i == 0 {
					workers += extra
				}
				answers := answersFrom(t, cpu, s.Addrs[0], connections)
				if len(answers) != workers {
					t.Logf("%s: from CPU %d: %d workers answered, want %d: %v", when, cpu, len(answers), workers, answers)
					return false
				}
				for pid := range answers {
					if on := cpusOf(t, pid); !slices.Equal(on, []string{fmt.Sprint(cpu)}) {
						t.Logf("%s: from CPU %d: answered by worker %d on CPUs %v", when, cpu, pid, on)
						return false
					}
				}
			}
			return true
		})
		e2e.Do(t, s.Addrs[1], "GET", "/report", "").WantStatus(200)
	}
	serve := func(workers int) {
		t.Helper()
		e2e.Eventually(t, requestsLimit, fmt.Sprintf("%d workers", workers), func() bool {
			return len(s.Children()) == workers && !slices.ContainsFunc(s.Workers(), func(w e2e.Worker) bool { return w.State != "ready" })
		})
	}
	want("at the start", 0)
	s.Kill(s.Children()[0])
	serve(len(usable))
	want("after a death", 0)
	s.Signal(syscall.SIGTTIN)
	serve(len(usable) + 1)
	want("with one worker more", 1)
	s.Signal(syscall.SIGTTOU)
	serve(len(usable))
	want("without it", 0)
	s.Signal(syscall.SIGHUP)
	e2e.Eventually(t, requestsLimit, "the reload to end", func() bool { return strings.Contains(s.Log(), `"msg":"reloaded"`) })
	serve(len(usable))
	want("after a reload", 0)
	s.Upgrade()
	want("after an upgrade", 0)
	if len(usable) > 1 {
		last := usable[len(usable)-1]
		var victim int
		for victim = range answersFrom(t, last, s.Addrs[0], 1) {
			s.StopProcess(victim)
		}
		e2e.Eventually(t, requestsLimit, "the silence to be noticed", func() bool { return strings.Contains(s.Log(), `"msg":"worker is silent`) })
		if answers := answersFrom(t, last, s.Addrs[0], connections); answers[victim] > 0 {
			t.Errorf("a worker that is stopped: %v", answers)
		}
		if err := syscall.Kill(victim, syscall.SIGCONT); err != nil {
			t.Fatal(err)
		}
		e2e.Eventually(t, requestsLimit, "the worker to be heard again", func() bool { return strings.Contains(s.Log(), `"msg":"worker is heard again"`) })
		want("after a pause", 0)
	}
	s.Stop()
}

// TestSteerWithoutAffinity: workers that are bound to no CPU have one each of whose
// connections they get, and all get some where there are more of them than CPUs.
// An upgrade changes it, and a reload says that it does not.
func TestSteerWithoutAffinity(t *testing.T) {
	t.Parallel()
	usable := usableCPUs(t)
	s := startConfigured(t, "workers = 4\n")
	changed := "workers = 4\nsteer = \"cpu\"\n"
	s.reload(changed)
	if !strings.Contains(s.Log(), `"settings":["steer"]`) {
		t.Errorf("no warning about the setting in the log:\n%s", s.Log())
	}
	s.Upgrade()
	e2e.Eventually(t, requestsLimit, "connections at all workers, and at none from two CPUs", func() bool {
		seen := map[int]int{} // CPU by worker
		for _, cpu := range usable {
			for pid := range answersFrom(t, cpu, s.Addrs[0], 60) {
				if other, twice := seen[pid]; twice && len(usable) <= 4 {
					t.Logf("worker %d has connections of CPU %d and of CPU %d", pid, other, cpu)
					return false
				}
				seen[pid] = cpu
			}
		}
		return len(seen) == 4
	})
	s.write("workers = 4\n")
	s.Upgrade()
	if answers := answersFrom(t, usable[0], s.Addrs[0], 200); len(answers) != 4 {
		t.Errorf("by hash again: %v", answers)
	}
	s.Stop()
}

// TestSteerOfPassedSockets: there is one for all workers, and nothing to steer.
func TestSteerOfPassedSockets(t *testing.T) {
	t.Parallel()
	socket, addr := activator(t, "tcp4", "127.0.0.1:0")
	for _, listen := range [][]string{nil, {addr}} {
		s := e2e.Launch(t, e2e.Options{Sockets: []*os.File{socket}, Listen: listen, Flags: []string{"--steer", "cpu"}, Damaged: true})
		s.WantExit(2)
		if !strings.Contains(s.Log(), "--steer cpu: it is for TCP addresses of --listen") {
			t.Errorf("the log: %s", s.Log())
		}
	}
}
