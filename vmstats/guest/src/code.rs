//! The guest's memory: hand-assembled code and tables.
//!
//! In: a number of vCPUs. Out: the initial contents of the memory, and the
//! initial registers of a vCPU. This file knows nothing of KVM but the structs of
//! registers.
//!
//! The guest runs in 32-bit protected mode with flat segments and without
//! paging, the simplest mode in which the local APIC can be reached. All vCPUs
//! share the code; each vCPU has a stack of its own for its timer interrupt.

use kvm_bindings::{kvm_regs, kvm_segment, kvm_sregs};

/// The size of a page in bytes.
pub(super) const PAGE_SIZE: usize = 4096;

// The addresses of the tables and the code. All are in the first page, whose
// address is 0.
const GDT: u16 = 0x100;
const IDT: u16 = 0x200;
const START: u16 = 0x400;
/// The address of the loop, which follows the three stores of [`start`].
const AGAIN: u16 = START + 30;
const ON_TIMER: u16 = 0x480;
const ON_SPURIOUS: u16 = 0x4a0;

/// The size of a stack in bytes. An interrupt pushes 12 bytes and is not
/// interrupted itself; a whole cache line keeps vCPUs from sharing one.
const STACK_SIZE: usize = 64;

/// The address of the first stack.
const STACKS: usize = PAGE_SIZE;

// The selectors of the segments in the table that `gdt` makes.
const CODE_SEGMENT: u16 = 0x08;
const DATA_SEGMENT: u16 = 0x10;

/// The timer's interrupt vector: the first one that no exception uses.
const TIMER_VECTOR: u8 = 0x20;
/// The vector of spurious interrupts. Its low four bits are set, because old
/// APICs set them anyway.
const SPURIOUS_VECTOR: u8 = 0x2f;

/// The number of entries of the interrupt table, up to the last one used.
const IDT_LEN: u16 = SPURIOUS_VECTOR as u16 + 1;

// The addresses of the local APIC's registers after a reset (Intel SDM volume 3,
// "Local APIC Register Address Map").
const APIC: u32 = 0xfee0_0000;
const APIC_EOI: u32 = APIC + 0x0b0;
const APIC_SPURIOUS: u32 = APIC + 0x0f0;
const APIC_LVT_TIMER: u32 = APIC + 0x320;
const APIC_INITIAL_COUNT: u32 = APIC + 0x380;
const APIC_DIVIDE: u32 = APIC + 0x3e0;

// The lengths of the two kinds of sleep in ticks of the timer, which KVM's APIC
// makes a nanosecond long (`APIC_BUS_CYCLE_NS_DEFAULT`, arch/x86/kvm/lapic.h).
// Seven short sleeps and a long one take 8 ms.
//
// A host polls for a while before it puts a vCPU to sleep, by default for at most
// 200 us (`halt_poll_ns`, Documentation/virt/kvm/halt-polling.rst), and adapts
// that time to earlier sleeps. Short sleeps make the host poll, so that the
// statistics of polling move; long ones move the statistics of waiting.
const SHORT_TICKS: u32 = 50_000;
const LONG_TICKS: u32 = 8_000_000 - 7 * SHORT_TICKS;

/// Assembles `mov dword [address], value`.
fn store(address: u32, value: u32) -> Vec<u8> {
    [
        &[0xc7, 0x05][..],
        &address.to_le_bytes(),
        &value.to_le_bytes(),
    ]
    .concat()
}

/// Assembles the code that every vCPU begins with: it enables the APIC and sets
/// the timer to divide by one and to fire once. A periodic timer would need a
/// vCPU whose features (CPUID) have been set, and setting the timer again for
/// each sleep is one more exit to count.
fn start() -> Vec<u8> {
    [
        store(APIC_SPURIOUS, 1 << 8 | u32::from(SPURIOUS_VECTOR)),
        store(APIC_DIVIDE, 0b1011),
        store(APIC_LVT_TIMER, TIMER_VECTOR.into()),
        again(),
    ]
    .concat()
}

/// Assembles the loop: write to a port, set the timer, sleep. Seven of eight
/// sleeps are short.
fn again() -> Vec<u8> {
    let [short, long] = [SHORT_TICKS, LONG_TICKS].map(u32::to_le_bytes);
    let count = APIC_INITIAL_COUNT.to_le_bytes();
    [
        &[0xe6, 0x80][..], //        out 0x80, al     leaves KVM_RUN
        &[0x43],           //        inc ebx
        &[0xb8],
        &short,           //        mov eax, short
        &[0xf6, 0xc3, 7], //        test bl, 7
        &[0x75, 5],       //        jnz set
        &[0xb8],
        &long, //        mov eax, long
        &[0xa3],
        &count,        // set:   mov [count], eax
        &[0xfb],       //        sti              takes effect after hlt
        &[0xf4],       //        hlt              sleeps until an interrupt
        &[0xeb, 0xe5], //        jmp again
    ]
    .concat()
}

/// Assembles the handler of the timer's interrupt: acknowledge the interrupt and
/// begin the loop again.
fn on_timer() -> Vec<u8> {
    [store(APIC_EOI, 0), begin_again(ON_TIMER, 10)].concat()
}

/// Assembles the handler of spurious interrupts, which must not be acknowledged.
fn on_spurious() -> Vec<u8> {
    begin_again(ON_SPURIOUS, 0)
}

/// Assembles the end of a handler whose address is `handler` and whose code so
/// far has `len` bytes. The code discards the words that the interrupt pushed and
/// jumps to the loop instead of returning: there is nothing to return to, and
/// where KVM has to emulate this mode, IRET is the one instruction that KVM
/// cannot emulate (`em_iret`, arch/x86/kvm/emulate.c).
fn begin_again(handler: u16, len: u16) -> Vec<u8> {
    const LEN: u16 = 3 + 5;
    let back = i32::from(AGAIN) - i32::from(handler + len + LEN);
    // add esp, 12; jmp again
    [&[0x83, 0xc4, 0x0c, 0xe9][..], &back.to_le_bytes()].concat()
}

/// Makes the table of segments: the null segment, code and data. Code and data
/// have 4 GiB from address 0.
fn gdt() -> Vec<u8> {
    [0_u64, 0x00cf_9b00_0000_ffff, 0x00cf_9300_0000_ffff]
        .iter()
        .flat_map(|descriptor| descriptor.to_le_bytes())
        .collect()
}

/// Makes the table of interrupt gates. The gates of exceptions are absent, so an
/// exception shuts the vCPU down and its thread reports that.
fn idt() -> Vec<u8> {
    let gate = |vector: u16| {
        let handler = match u8::try_from(vector) {
            Ok(TIMER_VECTOR) => ON_TIMER,
            Ok(SPURIOUS_VECTOR) => ON_SPURIOUS,
            _ => return [0; 4],
        };
        // The words are: lower offset, selector, "present, 32-bit interrupt
        // gate", upper offset.
        [handler, CODE_SEGMENT, 0x8e00, 0]
    };
    (0..IDT_LEN)
        .flat_map(gate)
        .flat_map(u16::to_le_bytes)
        .collect()
}

/// Returns the number of pages of a guest with `vcpus` vCPUs.
pub(super) fn pages(vcpus: u32) -> usize {
    1 + (vcpus as usize * STACK_SIZE).div_ceil(PAGE_SIZE)
}

/// Makes the first page. The other pages begin as zeroes.
pub(super) fn first_page() -> [u8; PAGE_SIZE] {
    let mut page = [0; PAGE_SIZE];
    let parts = [
        (GDT, gdt()),
        (IDT, idt()),
        (START, start()),
        (ON_TIMER, on_timer()),
        (ON_SPURIOUS, on_spurious()),
    ];
    for (at, bytes) in parts {
        let place = page.iter_mut().skip(usize::from(at));
        place.zip(bytes).for_each(|(to, from)| *to = from);
    }
    page
}

/// Returns the registers with which vCPU `index` begins.
pub(super) fn registers(index: u32) -> kvm_regs {
    let stack = STACKS + (index as usize + 1) * STACK_SIZE;
    // Bit 1 of the flags is always set. Interrupts are disabled, because their
    // flag is clear.
    kvm_regs {
        rip: START.into(),
        rsp: stack as u64,
        rflags: 1 << 1,
        ..Default::default()
    }
}

/// Changes the special registers of a vCPU after its reset to protected mode.
pub(super) fn enter_protected_mode(registers: &mut kvm_sregs) {
    let segment = |selector, type_| kvm_segment {
        base: 0,
        limit: u32::MAX,
        selector,
        type_,
        present: 1,
        db: 1,
        s: 1,
        g: 1,
        ..Default::default()
    };
    // The types are "execute, read, accessed" and "read, write, accessed".
    registers.cs = segment(CODE_SEGMENT, 0b1011);
    let data = segment(DATA_SEGMENT, 0b0011);
    registers.ds = data;
    registers.es = data;
    registers.fs = data;
    registers.gs = data;
    registers.ss = data;
    registers.gdt.base = GDT.into();
    registers.gdt.limit = 3 * 8 - 1;
    registers.idt.base = IDT.into();
    registers.idt.limit = IDT_LEN * 8 - 1;
    registers.cr0 |= 1;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_of_the_first_page_do_not_overlap() {
        let parts = [
            (GDT, gdt().len()),
            (IDT, idt().len()),
            (START, start().len()),
            (ON_TIMER, on_timer().len()),
            (ON_SPURIOUS, on_spurious().len()),
            (4096, 0),
        ];
        for pair in parts.windows(2) {
            assert!(
                usize::from(pair[0].0) + pair[0].1 <= usize::from(pair[1].0),
                "{pair:x?}"
            );
        }
    }

    #[test]
    fn jumps_of_all_parts_lead_to_the_loop() {
        let page = first_page();
        let loop_at = usize::from(AGAIN);
        assert_eq!(page[loop_at..loop_at + 27], again());
        // The loop's own, of two bytes, and those that handlers end with.
        assert_eq!(again().last(), Some(&27_u8.wrapping_neg()));
        for (handler, len) in [
            (ON_TIMER, on_timer().len()),
            (ON_SPURIOUS, on_spurious().len()),
        ] {
            let end = usize::from(handler) + len;
            let offset = i32::from_le_bytes(page[end - 4..end].try_into().unwrap());
            assert_eq!(i32::try_from(end).unwrap() + offset, i32::from(AGAIN));
        }
    }

    #[test]
    fn stacks_of_all_vcpus_lie_in_the_guests_pages() {
        for vcpus in [1, 63, 64, 65, 1024] {
            let end = pages(vcpus) * PAGE_SIZE;
            assert!(registers(vcpus - 1).rsp <= end as u64);
            assert!(
                registers(vcpus - 1).rsp + PAGE_SIZE as u64 > end as u64,
                "no page too many"
            );
        }
    }
}
