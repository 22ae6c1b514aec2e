package shm

type modelPC uint8

const (
	atGone   modelPC = iota // no process
	atZombie                // dead and not reaped

	atAttachHold // Attach
	atAttachSwap
	atFindSeq // find, walk
	atFindLink
	atFindKey
	atFindWord
	atFindVersion
	atFindCheck
	atAddSwap // addUnlocked
	atAddReload
	atCopy // read, copyOut, still
	atCopyCheck
	atSpin // acquire
	atSlow
	atLook
	atMark
	atWait
	atAsleep

	atLocked // from here to unlock the process holds the lock
	atBumpSwap
	atNumber // draftLocked
	atTakeLine
	atTakeUnit
	atFillData
	atFillVersion
	atFillWord
	atFillKey
	atLink // linkLocked
	atNumberLate
	atFreeze
	atKill // removeLocked, replaceLocked
	atUnlink
	atMoveSeq // giveLocked
	atGiveUnit
	atGiveLine
	atCount
	atRebuild // rebuildLocked
	atRetake
	atRebuildSeq
	atKillFree
	atRecount
	atUnlock // release
	atSurrenderSwap

	atUnlockWake
	atIdleWorker

	atSeizeLoad // Recover
	atSeizeSwap
	atSurrenderWake
	atWakeEach
	atFreeSlot

	atIdleMaster
	atClaimDoor // Claim
	atClaimOwner
	atClaimSwap
	atClaimLeave
	atLaunch    // crew.launch
	atEnterDoor // AttachMaster
	atTakeSlot
	atEnrollSelf
	atSweepDoor // Sweep
	atSweepLook
	atSweepAlive
	atSweepHold
	atSweepDrop
	atSweepLeave
)

var modelSteps = map[modelPC]string{
	atAttachHold: "Attach: take the byte lock", atAttachSwap: "Attach: control claimed -> live",
	atFindSeq: "find: load seq", atFindLink: "walk: load link", atFindKey: "holds: load key", atFindWord: "read: load word",
	atFindVersion: "read: load version", atFindCheck: "find: load seq again",
	atAddSwap: "addUnlocked: swap word", atAddReload: "addUnlocked: load word again",
	atCopy: "copyOut: load the value", atCopyCheck: "still: load seq once more",
	atSpin: "acquire: swap 0 -> me", atSlow: "acquire: swap 0 -> me|waiters", atLook: "acquire: load the lock", atMark: "acquire: set waiters",
	atWait: "futexWait", atLocked: "holds the lock: findLocked", atBumpSwap: "changeLocked: swap word",
	atNumber: "draftLocked: versions+1", atTakeLine: "takeLineLocked: set its bits", atTakeUnit: "takeRunLocked: set its bits", atFillData: "fillExtent: the value",
	atFillVersion: "draftLocked: fill version", atFillWord: "draftLocked: fill word", atFillKey: "draftLocked: fill key",
	atLink: "linkLocked: put the link", atNumberLate: "versions+1", atFreeze: "freeze: swap narrow -> wide", atKill: "kills the entry", atUnlink: "removeLocked: put the link",
	atMoveSeq: "giveLocked: seq+1", atGiveUnit: "freeChainLocked: clear its bits", atGiveLine: "freeLocked: clear its bits", atCount: "puts the counts",
	atRebuild: "rebuildLocked: clear the bitmap", atRetake: "retakeLocked: a bucket", atKillFree: "killFreeLocked: kill a free line, of a value perhaps",
	atRecount: "rebuildLocked: put the counts", atRebuildSeq: "rebuildLocked: seq+1",
	atUnlock: "release: swap 0", atUnlockWake: "release: wake one",
	atSurrenderSwap: "surrender: swap 0", atSurrenderWake: "surrender: wake all", atSeizeLoad: "seize: load the lock", atSeizeSwap: "seize: swap dead -> me|waiters",
	atWakeEach: "repairAll: wake all of each lock", atFreeSlot: "free: control -> free, generation+1",
	atClaimDoor: "Claim: take the door", atClaimOwner: "claim: put owner", atClaimSwap: "claim: control free -> claimed", atClaimLeave: "Claim: leave the door",
	atLaunch: "launch: start a process", atEnterDoor: "AttachMaster: take the door, nobody lives", atTakeSlot: "takeMasterSlot: take the byte lock",
	atEnrollSelf: "enroll: control -> live", atSweepDoor: "Sweep: take the door", atSweepLook: "sweep: load control and owner", atSweepAlive: "sweep: masterAlive",
	atSweepHold: "recoverUnreaped: take the byte lock", atSweepDrop: "recoverUnreaped: drop the byte lock", atSweepLeave: "Sweep: leave the door",
}
