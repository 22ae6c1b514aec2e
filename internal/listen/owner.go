package listen

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// owner names the process that listens on an address, for a message: "pid 4711
// (nginx)". It is "" where nobody is found: other users' processes show their
// descriptors to root alone. Of a family that shares the socket it is the parent.
func (s Spec) owner() string {
	sockets := s.listening()
	if len(sockets) == 0 {
		return ""
	}
	holders := map[int]int{} // parent by pid
	links, _ := filepath.Glob("/proc/[0-9]*/fd/*")
	for _, link := range links {
		target, err := os.Readlink(link)
		if err != nil || !slices.Contains(sockets, target) {
			continue
		}
		pid, err := strconv.Atoi(strings.Split(link, "/")[2])
		if err == nil {
			holders[pid] = parentOf(pid)
		}
	}
	for pid, parent := range holders {
		if _, is := holders[parent]; !is {
			name, _ := os.ReadFile(fmt.Sprintf("/proc/%d/comm", pid))
			return fmt.Sprintf("pid %d (%s)", pid, strings.TrimSpace(string(name)))
		}
	}
	return ""
}

// listening are the sockets that listen on the address, as links to them read.
func (s Spec) listening() (sockets []string) {
	if s.Network == Unix {
		// Num RefCount Protocol Flags Type St Inode Path
		eachLine("/proc/net/unix", func(f []string) {
			const listens = "00010000" // __SO_ACCEPTCON
			if len(f) == 8 && f[3] == listens && f[7] == s.Addr {
				sockets = append(sockets, "socket:["+f[6]+"]")
			}
		})
		return sockets
	}
	_, port, _ := strings.Cut(s.Addr[strings.LastIndex(s.Addr, ":"):], ":")
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil {
		return nil
	}
	ending := fmt.Sprintf(":%04X", n)
	for _, table := range []string{"/proc/net/tcp", "/proc/net/tcp6"} {
		// sl local_address rem_address st queues timer retransmits uid timeout inode
		eachLine(table, func(f []string) {
			const listens = "0A"
			if len(f) > 9 && f[3] == listens && strings.HasSuffix(f[1], ending) {
				sockets = append(sockets, "socket:["+f[9]+"]")
			}
		})
	}
	return sockets
}

func eachLine(path string, do func(fields []string)) {
	f, err := os.Open(path)
	if err != nil {
		return
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		do(strings.Fields(lines.Text()))
	}
}

// parentOf is the parent of a process, 0 where that is not known.
func parentOf(pid int) int {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0
	}
	// The name is in parentheses and may hold anything.
	rest := strings.Fields(string(b[strings.LastIndexByte(string(b), ')')+1:]))
	if len(rest) < 2 {
		return 0
	}
	parent, _ := strconv.Atoi(rest[1])
	return parent
}
