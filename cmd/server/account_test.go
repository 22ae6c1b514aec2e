package main

import (
	"os/user"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/fondue-server/fondue/internal/master"
)

func TestParseUser(t *testing.T) {
	t.Parallel()
	me, err := user.Current()
	if err != nil {
		t.Fatal(err)
	}
	uid, _ := strconv.Atoi(me.Uid)
	gid, _ := strconv.Atoi(me.Gid)
	for _, name := range []string{me.Username, me.Uid} {
		a, err := parseUser(name)
		if err != nil || a.name != name || a.uid != uid || a.gid != gid {
			t.Errorf("%s: %+v, %v", name, a, err)
		}
	}
	if a, err := parseUser("65521"); err != nil || a.uid != 65521 || a.gid != noGroup || a.groups != nil {
		t.Errorf("a number without a name: %+v, %v", a, err)
	}
	for _, wrong := range []string{"", "no-such-user", "-1", "4294967295", "4294967296", "1.5"} {
		if a, err := parseUser(wrong); err == nil {
			t.Errorf("user %q passes as %+v", wrong, a)
		}
	}
	if id, err := parseGroup("65522"); err != nil || id != 65522 {
		t.Errorf("%d, %v", id, err)
	}
	if group, err := user.LookupGroupId("0"); err == nil {
		if id, err := parseGroup(group.Name); err != nil || id != 0 {
			t.Errorf("group %s: %d, %v", group.Name, id, err)
		}
	}
	for _, wrong := range []string{"", "no-such-group", "-1", "4294967295"} {
		if id, err := parseGroup(wrong); err == nil {
			t.Errorf("group %q passes as %d", wrong, id)
		}
	}
}

func TestIdentity(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		user  account
		group int
		given bool
		want  *master.Identity
		says  string
	}{
		{account{}, 0, false, nil, ""},
		{account{}, 5, true, nil, "--user"},
		{account{name: "7", uid: 7, gid: noGroup}, 0, false, nil, "--group"},
		{account{name: "7", uid: 7, gid: noGroup}, 5, true, &master.Identity{Name: "7", UID: 7, GID: 5, Groups: []int{5}}, ""},
		{account{name: "a", uid: 7, gid: 8, groups: []int{8, 9}}, 0, false, &master.Identity{Name: "a", UID: 7, GID: 8, Groups: []int{8, 9}}, ""},
		{account{name: "a", uid: 7, gid: 8, groups: []int{8, 9}}, 0, true, &master.Identity{Name: "a", UID: 7, GID: 0, Groups: []int{8, 9}}, ""},
	} {
		s := serveOptions{user: c.user, group: c.group}
		got, err := s.identity(c.given)
		if (err != nil) != (c.says != "") || err != nil && !strings.Contains(err.Error(), c.says) {
			t.Errorf("%+v: %v", c, err)
			continue
		}
		if (got == nil) != (c.want == nil) || got != nil && (got.Name != c.want.Name || got.UID != c.want.UID || got.GID != c.want.GID || !slices.Equal(got.Groups, c.want.Groups)) {
			t.Errorf("%+v: %+v, want %+v", c, got, c.want)
		}
	}
}
