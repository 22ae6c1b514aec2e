package main

import (
	"fmt"
	"os/user"
	"strconv"

	"github.com/fondue-server/fondue/internal/master"
)

// account is what --user names.
type account struct {
	name   string // as given
	uid    int
	gid    int   // the primary group; noGroup: the host does not know it
	groups []int // supplementary
}

const noGroup = -1

// parseUser reads a user's name, or a number that need not have a name: images of
// containers often have no list of users.
func parseUser(s string) (account, error) {
	if s == "" {
		return account{}, fmt.Errorf("the value is empty; give the name or number of a user")
	}
	known, err := user.Lookup(s)
	if err != nil {
		uid, numeric := parseID(s)
		if !numeric {
			return account{}, fmt.Errorf("%q is no user of this host; name one of /etc/passwd, or give a number", s)
		}
		if known, err = user.LookupId(s); err != nil {
			return account{name: s, uid: uid, gid: noGroup}, nil
		}
	}
	uid, isUID := parseID(known.Uid)
	gid, isGID := parseID(known.Gid)
	if !isUID || !isGID {
		return account{}, fmt.Errorf("user %q has the numbers %q and %q in /etc/passwd, which are none", s, known.Uid, known.Gid)
	}
	a := account{name: s, uid: uid, gid: gid}
	groups, _ := known.GroupIds() // without a list of groups the primary one is all
	for _, text := range groups {
		if id, ok := parseID(text); ok {
			a.groups = append(a.groups, id)
		}
	}
	return a, nil
}

// parseGroup reads a group's name, or any number.
func parseGroup(s string) (int, error) {
	if known, err := user.LookupGroup(s); err == nil {
		if gid, ok := parseID(known.Gid); ok {
			return gid, nil
		}
	}
	gid, ok := parseID(s)
	if !ok {
		return 0, fmt.Errorf("%q is no group of this host; name one of /etc/group, or give a number", s)
	}
	return gid, nil
}

// parseID reads the number of a user or a group. The last of 32 bits stands for
// "leave it" in the system's calls.
func parseID(s string) (int, bool) {
	n, err := strconv.ParseUint(s, 10, 32)
	return int(n), err == nil && n < 1<<32-1
}

// identity is what --user and --group make together; nil without --user.
func (s *serveOptions) identity(groupGiven bool) (*master.Identity, error) {
	a := s.user
	switch {
	case a.name == "" && groupGiven:
		return nil, usagef("--group: it goes with --user; give that, too")
	case a.name == "":
		return nil, nil
	case groupGiven:
		a.gid = s.group
	case a.gid == noGroup:
		return nil, usagef("--user: %s is not in /etc/passwd, which would tell the group; give --group", a.name)
	}
	if len(a.groups) == 0 {
		a.groups = []int{a.gid}
	}
	return &master.Identity{Name: a.name, UID: a.uid, GID: a.gid, Groups: a.groups}, nil
}
