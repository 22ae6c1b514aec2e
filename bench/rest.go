package main

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// settle is how long a server is left alone before its memory is read.
const settle = time.Second

// measureStart times exec to the first 200, with a new region each time.
func measureStart(c config, dir string, interrupted <-chan os.Signal) error {
	var took []float64
	for i := range c.starts {
		select {
		case <-interrupted:
			return errInterrupted
		default:
		}
		region := filepath.Join(dir, fmt.Sprintf("start%d", i))
		s, err := startFondue(c, region)
		if err != nil {
			return err
		}
		elapsed := s.first.Sub(s.started)
		s.stop()
		if err := os.Remove(region); err != nil {
			return err
		}
		took = append(took, float64(elapsed.Nanoseconds()))
		fmt.Printf("%s 1 %d ns/op\n", benchName("ExecToFirst200"), elapsed.Nanoseconds())
	}
	fmt.Printf("# exec to first 200: median %.1f ms, slowest %.1f ms of %d\n", median(took)/1e6, quantile(took, 1)/1e6, c.starts)
	return nil
}

// measureMemory reads what each worker of an idle server weighs. PSS counts a
// page that several processes map by its share.
func measureMemory(c config, dir string) error {
	s, err := startFondue(c, filepath.Join(dir, "memory"))
	if err != nil {
		return err
	}
	defer s.stop()
	return weigh(s, "WorkerAtRest", "worker at rest")
}

// weigh prints the memory of each worker after a moment without requests.
func weigh(s *server, bench, what string) error {
	time.Sleep(settle)
	pids, err := s.workers()
	if err != nil {
		return err
	}
	var sizes []float64
	for _, pid := range pids {
		m, err := readSmaps(pid)
		if err != nil {
			return err
		}
		sizes = append(sizes, float64(m["Pss"]))
		fmt.Printf("%s 1 %d pss-bytes %d anon-bytes %d file-bytes %d region-bytes\n", benchName(bench),
			m["Pss"], m["Pss_Anon"], m["Pss_File"], m["Pss_Shmem"])
	}
	fmt.Printf("# %s: PSS median %.2f MB, largest %.2f MB\n", what, median(sizes)/1e6, quantile(sizes, 1)/1e6)
	return nil
}

// readSmaps returns the fields of smaps_rollup in bytes.
func readSmaps(pid int) (map[string]int64, error) {
	file, err := os.Open("/proc/" + strconv.Itoa(pid) + "/smaps_rollup")
	if err != nil {
		return nil, err
	}
	defer file.Close()
	fields := map[string]int64{}
	for lines := bufio.NewScanner(file); lines.Scan(); {
		words := strings.Fields(lines.Text())
		if len(words) != 3 || words[2] != "kB" {
			continue
		}
		kib, err := strconv.ParseInt(words[1], 10, 64)
		if err != nil {
			return nil, err
		}
		fields[strings.TrimSuffix(words[0], ":")] = kib << 10
	}
	return fields, nil
}

func cpuModel() string {
	text, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		return "unknown"
	}
	for line := range strings.Lines(string(text)) {
		if name, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return "unknown"
}

func kernelRelease() string {
	text, err := os.ReadFile("/proc/sys/kernel/osrelease")
	if err != nil {
		return "unknown"
	}
	return strings.TrimSpace(string(text))
}
