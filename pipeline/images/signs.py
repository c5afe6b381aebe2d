"""What a file is taken for before it is decoded: by the suffix of its name, or by its first bytes.

Formats that nothing here can decode are images too, HEIC and camera RAW among them: such a file is to be named, with
the reason why it was not read, not to be passed over.
"""

import re

# What Pillow reads, data formats aside; and what it does not.
_IMAGES = """
jpg jpeg jpe jfif mpo png apng gif bmp dib tif tiff webp avif avifs jp2 j2k jpc jpf jpx j2c ppm pgm pbm pnm pfm tga icb
vda vst ico cur icns psd dds qoi sgi rgb rgba bw ras pcx dcx pcd pxr im iim msp xbm xpm eps ps fit fits fli flc ftc ftu
gbr blp wmf emf palm

heic heics heif heifs hif avci jxl jxr wdp hdp jls bpg exr hdr psb xcf svg svgz dcm dicom jng mng wbmp pct pict
"""
# What cameras write that their sensors saw.
_RAW = """
3fr arw cr2 cr3 crw dcr dng erf fff gpr iiq k25 kdc mef mos mrw nef nrw orf pef raf raw rw2 rwl sr2 srf srw x3f
"""
# Text and tables, documents, data, models, archives, programs, video and sound, fonts, meshes.
_OTHERS = """
txt text md rst rtf log tex bib csv tsv json jsonl ndjson geojson xml xsd dtd yaml yml toml ini cfg conf properties nfo
html htm css js py pyc ipynb sh bat ps1 c h cc cpp hpp java sql srt vtt url lnk webloc xmp aae sfv md5 sha1 sha256

pdf doc docx odt xls xlsx ods ppt pptx odp epub

db sqlite sqlite3 lmdb mdb parquet arrow feather avro pkl pickle npy npz zarr h5 hdf hdf5 nc mat grib bufr tfrecord
pt pth onnx ckpt safetensors tflite

zip tar gz tgz bz2 xz zst 7z rar iso exe dll so jar

mp4 m4v mov avi mkv webm mpg mpeg wmv flv 3gp mts m2ts mp3 wav flac ogg m4a aac wma opus

ttf otf woff woff2 obj stl ply glb gltf
"""
RAW, IMAGES, OTHERS = (frozenset(f".{name}" for name in text.split()) for text in (_RAW, _RAW + _IMAGES, _OTHERS))

HEAD = 256  # bytes that `looks_like_image` asks for
_BOXES = rb"(?:hei[cxms]|hev[cxms]|mif1|msf1|mif2|avi[fs]|avci|avcs|crx |jp2 |jpx |jxl )"
_SIGNATURES = re.compile(
    b"|".join(
        (
            rb"\xff\xd8\xff",  # JPEG
            rb"\x89PNG\r\n\x1a\n|\x8aMNG\r\n|\x8bJNG\r\n",
            rb"GIF8[79]a",
            rb"BM.{4}\0{4}.{4}[\x0c\x10\x28\x34\x38\x40\x6c\x7c]\0\0\0",  # BMP with a header of a known length
            rb"II[*+]\0|MM\0[*+]",  # TIFF, and most camera RAW
            rb"RIFF.{4}WEBP",
            rb".{4}ftyp" + _BOXES,
            rb"\0\0\0\x0c(?:jP  |JXL )\r\n\x87\n|\xff\x4f\xff\x51|\xff\x0a",  # JPEG 2000, JPEG XL
            rb"II\xbc\x01|BPG\xfb|FLIF[1-9A-Za-z]",
            rb"P[1-6]\s+(?:#|\d+\s+\d+\s)|P7\nWIDTH|P[Ff]\s+\d+\s+\d+\s",  # PPM and its kin
            rb"8BPS\0[\x01\x02]|gimp xcf |qoif|DDS \x7c\0\0\0|icns\0|BLP[12]|/\* XPM \*/|<svg[\s>]",
            rb"\0\0[\x01\x02]\0[^\0]\0.{3}\0",  # ICO and CUR of 1 to 255 pictures
            rb"\x01\xda[\0\x01][\x01\x02]\0[\x01-\x03]",  # SGI
            rb"\x59\xa6\x6a\x95",  # Sun raster
            rb"\x0a[\0\x02-\x05]\x01[\x01\x02\x04\x08]",  # PCX
            rb"\xb1\x68\xde\x3a",  # DCX
            rb"SIMPLE  =|\x76\x2f\x31\x01|#\?(?:RADIANCE|RGBE)",  # FITS, OpenEXR, Radiance
            rb"%!PS-Adobe-[\d.]+ EPSF|\xc5\xd0\xd3\xc6",
            rb"\xd7\xcd\xc6\x9a|\x01\0\0\0.{36} EMF",
            rb".{128}DICM",
            rb"FUJIFILMCCD-RAW|IIR[OS]|MMOR|IIU\0|FOVb|\0MRM|.{6}HEAPCCDR",  # RAF, ORF, RW2, X3F, MRW, CRW
        )
    ),
    re.DOTALL,
)


def looks_like_image(head: bytes) -> bool:
    """Whether a file that begins with these bytes, HEAD of them if it has so many, has the signature of an image
    format. One of a format without a signature (TGA, XBM) does not look like an image."""
    return _SIGNATURES.match(head) is not None
