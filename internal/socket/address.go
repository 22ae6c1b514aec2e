package socket

import (
	"net"
	"net/netip"
	"strconv"
	"sync"

	"golang.org/x/sys/unix"
)

// AddrOf returns the address of a TCP socket, IPv4 as such, and what is not valid for
// any other.
func AddrOf(sa unix.Sockaddr) netip.AddrPort {
	switch sa := sa.(type) {
	case *unix.SockaddrInet4:
		return netip.AddrPortFrom(netip.AddrFrom4(sa.Addr), uint16(sa.Port))
	case *unix.SockaddrInet6:
		addr := netip.AddrFrom16(sa.Addr).Unmap()
		if sa.ZoneId != 0 {
			addr = addr.WithZone(zone(sa.ZoneId))
		}
		return netip.AddrPortFrom(addr, uint16(sa.Port))
	}
	return netip.AddrPort{}
}

// zones has the names that zone has found.
var zones sync.Map // by index

// zone is the name of an interface, as the net package has it in addresses. Asking for
// it takes the kernel a while where there are many, so that each is asked for once.
func zone(index uint32) string {
	if name, known := zones.Load(index); known {
		return name.(string)
	}
	name := strconv.FormatUint(uint64(index), 10)
	if i, err := net.InterfaceByIndex(int(index)); err == nil {
		name = i.Name
	}
	zones.Store(index, name)
	return name
}
