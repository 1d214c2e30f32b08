//! The guest's memory: its code, put together by hand, and its tables.
//!
//! In: how many vCPUs. Out: pages to begin with, and the registers with which
//! a vCPU enters them. It knows nothing of KVM but its register structs.
//!
//! The guest is in 32-bit protected mode with flat segments and no paging: the
//! simplest mode that reaches the local APIC at its address. All vCPUs share
//! the code; each has a stack of its own, for its timer interrupt.

use kvm_bindings::{kvm_regs, kvm_segment, kvm_sregs};

/// Bytes of a page.
pub(super) const PAGE_SIZE: usize = 4096;

/// Where things are in the first page, which is at address 0.
const GDT: u16 = 0x100;
const IDT: u16 = 0x200;
const START: u16 = 0x400;
/// The loop, behind the three stores of [`start`].
const AGAIN: u16 = START + 30;
const ON_TIMER: u16 = 0x480;
const ON_SPURIOUS: u16 = 0x4a0;

/// Bytes of a stack: an interrupt pushes 12, and none interrupts another. A
/// cache line each.
const STACK_SIZE: usize = 64;

/// Where the stacks begin.
const STACKS: usize = PAGE_SIZE;

/// Selectors of the segments in the [`gdt`].
const CODE_SEGMENT: u16 = 0x08;
const DATA_SEGMENT: u16 = 0x10;

/// The timer's vector, the first that is not an exception's.
const TIMER_VECTOR: u8 = 0x20;
/// The vector of interrupts that went away. Old APICs set its low four bits.
const SPURIOUS_VECTOR: u8 = 0x2f;

/// Entries of the interrupt table, up to the last one used.
const IDT_LEN: u16 = SPURIOUS_VECTOR as u16 + 1;

/// The local APIC's registers (Intel SDM volume 3, "Local APIC Register
/// Address Map"), at the address they have after a reset.
const APIC: u32 = 0xfee0_0000;
const APIC_EOI: u32 = APIC + 0x0b0;
const APIC_SPURIOUS: u32 = APIC + 0x0f0;
const APIC_LVT_TIMER: u32 = APIC + 0x320;
const APIC_INITIAL_COUNT: u32 = APIC + 0x380;
const APIC_DIVIDE: u32 = APIC + 0x3e0;

/// How long the timer runs, in its ticks: KVM's APIC counts nanoseconds
/// (`APIC_BUS_CYCLE_NS_DEFAULT`, arch/x86/kvm/lapic.h). Eight sleeps take 8 ms.
///
/// Hosts poll for a while before they put a vCPU to sleep, at most 200 us by
/// default (`halt_poll_ns`, Documentation/virt/kvm/halt-polling.rst), and learn
/// from the sleeps before. The short ones teach them to, so that the statistics
/// of polling move; the long one is for those of waiting.
const SHORT_TICKS: u32 = 50_000;
const LONG_TICKS: u32 = 8_000_000 - 7 * SHORT_TICKS;

/// `mov dword [address], value`.
fn store(address: u32, value: u32) -> Vec<u8> {
    [
        &[0xc7, 0x05][..],
        &address.to_le_bytes(),
        &value.to_le_bytes(),
    ]
    .concat()
}

/// What every vCPU does first: the APIC on, its timer divided by one and good
/// for one interrupt. A periodic one exists only where the vCPU has been told
/// its features (CPUID), and one that is set anew is another exit to count.
fn start() -> Vec<u8> {
    [
        store(APIC_SPURIOUS, 1 << 8 | u32::from(SPURIOUS_VECTOR)),
        store(APIC_DIVIDE, 0b1011),
        store(APIC_LVT_TIMER, TIMER_VECTOR.into()),
        again(),
    ]
    .concat()
}

/// And then over and over: write to a port, set the timer, sleep. Seven times
/// of eight the sleep is short.
fn again() -> Vec<u8> {
    let [short, long] = [SHORT_TICKS, LONG_TICKS].map(u32::to_le_bytes);
    let count = APIC_INITIAL_COUNT.to_le_bytes();
    [
        &[0xe6, 0x80][..], //        out 0x80, al     an exit to this program
        &[0x43],           //        inc ebx
        &[0xb8],
        &short,           //        mov eax, short
        &[0xf6, 0xc3, 7], //        test bl, 7
        &[0x75, 5],       //        jnz set
        &[0xb8],
        &long, //        mov eax, long
        &[0xa3],
        &count,        // set:   mov [count], eax
        &[0xfb],       //        sti              not before the next one
        &[0xf4],       //        hlt              an exit, until woken
        &[0xeb, 0xe5], //        jmp again        where one would return
    ]
    .concat()
}

/// The timer's interrupt: acknowledge, and begin again.
fn on_timer() -> Vec<u8> {
    [store(APIC_EOI, 0), begin_again(ON_TIMER, 10)].concat()
}

/// A spurious interrupt is not acknowledged.
fn on_spurious() -> Vec<u8> {
    begin_again(ON_SPURIOUS, 0)
}

/// Leaves a handler that is at `handler` and is `len` bytes long so far. It
/// drops what the interrupt pushed instead of returning: there is nothing to
/// return to, and where KVM has to emulate this mode, IRET is the one
/// instruction that it cannot (`em_iret`, arch/x86/kvm/emulate.c).
fn begin_again(handler: u16, len: u16) -> Vec<u8> {
    const LEN: u16 = 3 + 5;
    let back = i32::from(AGAIN) - i32::from(handler + len + LEN);
    // add esp, 12; jmp again
    [&[0x83, 0xc4, 0x0c, 0xe9][..], &back.to_le_bytes()].concat()
}

/// The segments: none, code and data, both of 4 GiB from 0.
fn gdt() -> Vec<u8> {
    [0_u64, 0x00cf_9b00_0000_ffff, 0x00cf_9300_0000_ffff]
        .iter()
        .flat_map(|descriptor| descriptor.to_le_bytes())
        .collect()
}

/// The interrupt gates. Those of exceptions are absent: one would take the
/// vCPU down, and the program says so.
fn idt() -> Vec<u8> {
    let gate = |vector: u16| {
        let handler = match u8::try_from(vector) {
            Ok(TIMER_VECTOR) => ON_TIMER,
            Ok(SPURIOUS_VECTOR) => ON_SPURIOUS,
            _ => return [0; 4],
        };
        // Offset, selector, "present, 32-bit interrupt gate", upper offset.
        [handler, CODE_SEGMENT, 0x8e00, 0]
    };
    (0..IDT_LEN)
        .flat_map(gate)
        .flat_map(u16::to_le_bytes)
        .collect()
}

/// How many pages a guest with `vcpus` vCPUs has.
pub(super) fn pages(vcpus: u32) -> usize {
    1 + (vcpus as usize * STACK_SIZE).div_ceil(PAGE_SIZE)
}

/// The first page. The others begin as zeroes.
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

/// The registers of vCPU `index` at its first step.
pub(super) fn registers(index: u32) -> kvm_regs {
    let stack = STACKS + (index as usize + 1) * STACK_SIZE;
    // Bit 1 of the flags is always set; interrupts are still off.
    kvm_regs {
        rip: START.into(),
        rsp: stack as u64,
        rflags: 1 << 1,
        ..Default::default()
    }
}

/// Puts protected mode into the special registers of a vCPU after its reset.
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
    // Types: execute and read, read and write, both accessed.
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
    fn nothing_in_the_first_page_overlaps() {
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
    fn every_jump_goes_to_the_loop() {
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
    fn every_stack_lies_in_the_guests_pages() {
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
