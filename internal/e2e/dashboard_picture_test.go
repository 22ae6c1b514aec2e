package e2e_test

import (
	"fmt"
	"math"
	"net/http"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"

	"github.com/fondue-server/fondue/internal/e2e"
)

// TestDashboardPicture leaves pictures of the page in DIR, in the light and in the dark,
// and on a phone. docs/dashboard.png, which the README shows, is the first of them:
//
//	FONDUE_SHOTS=DIR go test -run TestDashboardPicture -count 1 ./internal/e2e
func TestDashboardPicture(t *testing.T) {
	dir := os.Getenv("FONDUE_SHOTS")
	if dir == "" {
		t.Skip("FONDUE_SHOTS names no directory for the pictures")
	}
	s := e2e.Start(t, e2e.Options{Workers: 4})
	traffic := startTraffic(t, s)
	d := openDashboard(t, s)
	d.run("type a prefix", chromedp.SendKeys(chromedp.CSS("#prefix"), "shop:"))
	d.wait("all to be well", allIsWell)
	time.Sleep(110 * time.Second) // the curve is of two minutes
	s.Kill(s.Workers()[1].PID)
	d.wait("the death", tells("is gone"))
	s.Signal(syscall.SIGTTIN)
	d.wait("one more", ready(5))
	d.wait("the field of the prefix to be left", "document.activeElement.blur(), true")
	for _, shot := range []struct {
		name, scheme  string
		width, height int64
	}{
		{"dashboard", "light", 1280, 800},
		{"dashboard-dark", "dark", 1280, 800},
		{"dashboard-phone", "light", 390, 844},
		{"dashboard-phone-dark", "dark", 390, 844},
	} {
		media := emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: shot.scheme}}}
		if _, err := chromedp.Call(d.ctx, emulation.SetEmulatedMedia, media); err != nil {
			t.Fatal(err)
		}
		d.run("resize", chromedp.EmulateViewport(shot.width, shot.height))
		before := d.text(`document.querySelector("[data-f=asked]").textContent`)
		d.wait("another look", `document.querySelector("[data-f=asked]").textContent !== `+quoted(before))
		take := chromedp.CaptureScreenshot()
		if shot.width < 1000 {
			take = chromedp.FullScreenshot(100)
		}
		picture, err := chromedp.Run(d.ctx, take)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(dir+"/"+shot.name+".png", picture, 0o644); err != nil {
			t.Fatal(err)
		}
		t.Logf("%s: %d bytes", shot.name, len(picture))
	}
	close(traffic.stop)
	traffic.Wait()
	s.Stop()
}

// traffic is a shop's, in waves, until stop is closed.
type traffic struct {
	sync.WaitGroup
	stop chan struct{}
}

func startTraffic(t *testing.T, s *e2e.Server) *traffic {
	t.Helper()
	send := func(client *http.Client, method, path, body string) {
		_, _ = e2e.Send(client, method, path, body) // what a killed worker breaks
	}
	setUp := e2e.Client(s.Addrs[0])
	send(setUp, "PUT", "/v1/keys/shop:catalogue", `"`+strings.Repeat("fondue ", 150_000)+`"`)
	for i := range 6000 {
		send(setUp, "PUT", fmt.Sprintf("/v1/keys/page:%d?ttl=1h", i), `"`+strings.Repeat("x", 100+i%400)+`"`)
	}
	setUp.CloseIdleConnections()
	tr := &traffic{stop: make(chan struct{})}
	began := time.Now()
	for i := range 6 {
		tr.Go(func() {
			client := e2e.Client(s.Addrs[0])
			defer client.CloseIdleConnections()
			for n := 0; ; n++ {
				seconds := time.Since(began).Seconds()
				rate := 90 + 40*math.Sin(seconds/9) + 25*math.Sin(seconds/3.1+float64(i)) + 15*math.Sin(seconds*2.3)
				select {
				case <-tr.stop:
					return
				case <-time.After(time.Duration(float64(time.Second) / rate)):
				}
				switch n % 12 {
				case 0, 1, 2, 3:
					send(client, "POST", "/v1/keys/shop:visits/increment", "")
				case 4, 5:
					send(client, "POST", "/increment?key=shop:orders", "")
				case 6:
					send(client, "PUT", fmt.Sprintf("/v1/keys/shop:session:%d?ttl=30m", i%4), fmt.Sprintf(`{"user":"ann","seen":%d}`, n))
				case 7:
					send(client, "POST", "/v1/keys/shop:tickets/increment?by=-1&init=50000", "")
				case 8:
					send(client, "PATCH", "/v1/keys/shop:cart", fmt.Sprintf(`{"items":%d,"total":%d.50}`, n%7, n%90))
				case 9:
					send(client, "GET", "/v1/keys/nobody", "")
				default:
					send(client, "GET", fmt.Sprintf("/v1/keys/page:%d", n%6000), "")
				}
			}
		})
	}
	return tr
}
