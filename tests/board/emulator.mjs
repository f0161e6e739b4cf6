// A Raspberry Pi Pico: rp2040js with MicroPython in its flash, its USB serial port on stdin and
// stdout. What it does not model: the time that real flash memory takes, and its wear.
//
//     node emulator.mjs BOOTROM FIRMWARE FLASH
//
// FLASH is the image of the whole 2 MiB flash; the firmware is laid over its start. It is written
// back when stdin closes or on SIGTERM: the next start finds the board's files as this one left
// them.
import fs from 'node:fs';
import { Simulator, USBCDC } from 'rp2040js';

const FLASH_SIZE = 2 * 1024 * 1024;
const NANOSECONDS_PER_CYCLE = 1e9 / 125e6;
const CYCLES_PER_SLICE = 20_000; // between two looks at stdin
const BOOTROM_END = 0x4000;
const FLASH_START = 0x10000000;
// Pages of addresses: the watchdog, by which machine.reset() works, and the ring oscillator.
const WATCHDOG = 0x40058;
const ROSC = 0x40060;
const ROSC_STATUS = 0x18;
const ROSC_RANDOMBIT = 0x1c;

const [romPath, firmwarePath, flashPath] = process.argv.slice(2);
const rom = fs.readFileSync(romPath);
const flash = fs.readFileSync(flashPath);
if (flash.length !== FLASH_SIZE) throw new Error(`${flashPath} is not ${FLASH_SIZE} bytes long`);
flash.set(fs.readFileSync(firmwarePath));
console.log = console.warn = () => {}; // stdout is the serial port

// The ROM's function table, which 0x14 points to: pairs of a two-letter code and an address.
const romFunctions = {};
for (let entry = rom.readUInt16LE(0x14); rom.readUInt16LE(entry); entry += 4) {
  romFunctions[rom.toString('latin1', entry, entry + 2)] = rom.readUInt16LE(entry + 2) & ~1;
}
const { RE: flashRangeErase, RP: flashRangeProgram } = romFunctions;

let chip;
const input = [];

function powerOn() {
  const simulator = new Simulator();
  const { clock, rp2040 } = simulator;
  const { core } = rp2040;
  chip = rp2040;
  let resetRequested = false;

  rp2040.logger = { debug() {}, info() {}, warn() {}, error() {} };
  rp2040.loadBootrom(new Uint32Array(rom.buffer, rom.byteOffset, rom.length / 4));
  rp2040.flash.set(flash);
  rp2040.peripherals[ROSC].readUint32 = (register) => {
    if (register === ROSC_RANDOMBIT) return Math.random() < 0.5 ? 0 : 1; // for os.urandom()
    return register === ROSC_STATUS ? 0x81001000 : 0; // stable and enabled
  };
  rp2040.peripherals[WATCHDOG].onWatchdogTrigger = () => { resetRequested = true; };
  rp2040.adc.channelValues[4] = 876; // the chip's thermometer, at 27 degrees
  const serial = new USBCDC(rp2040.usbCtrl);
  serial.onSerialData = (bytes) => fs.writeSync(1, bytes);
  core.PC = FLASH_START;

  // The ROM's flash functions speak to a flash chip, which is not emulated: do their work here.
  function callRomFunction() {
    const [offset, second, third] = core.registers;
    if (core.PC === flashRangeErase) {
      rp2040.flash.fill(0xff, offset, offset + second);
      clock.tick(1_000_000);
    } else if (core.PC === flashRangeProgram) {
      for (let i = 0; i < third; i++) {
        rp2040.flash[offset + i] &= rp2040.readUint8(second + i); // programming clears bits only
      }
      clock.tick(200_000);
    } else {
      return false;
    }
    core.PC = core.LR & ~1;
    return true;
  }

  function slice() {
    let slept = 0;
    for (let i = 0; i < CYCLES_PER_SLICE && !resetRequested; i++) {
      if (core.waiting) { // for an interrupt: skip to the next one
        const pause = clock.nanosToNextAlarm || 1000;
        clock.tick(pause);
        slept += pause;
        i += Math.min(pause / NANOSECONDS_PER_CYCLE, CYCLES_PER_SLICE) / 20;
        if (core.waiting && input.length) break;
      } else if (core.PC >= BOOTROM_END || !callRomFunction()) {
        clock.tick(core.executeInstruction() * NANOSECONDS_PER_CYCLE);
      }
    }
    while (input.length && serial.txFIFO.itemCount < 480) { // it holds 512
      serial.sendSerialByte(input.shift());
    }
    if (resetRequested) {
      flash.set(rp2040.flash.subarray(0, FLASH_SIZE));
      setImmediate(powerOn);
    } else if (slept > 2_000_000 && !input.length) {
      setTimeout(slice, 1); // mostly idle: leave the processor to others
    } else {
      setImmediate(slice);
    }
  }
  slice();
}

function powerOff() {
  fs.writeFileSync(flashPath, chip.flash.subarray(0, FLASH_SIZE));
  process.exit(0);
}

process.stdin.on('data', (bytes) => input.push(...bytes));
process.stdin.on('end', powerOff);
process.on('SIGTERM', powerOff);
process.on('SIGINT', powerOff);
powerOn();
